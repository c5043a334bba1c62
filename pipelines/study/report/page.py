"""Page of a study: findings, tables, provenance."""

from __future__ import annotations

from collections.abc import Callable

from components.costs.paired import LEAST_SEEDS
from components.costs.savings import best_by_gain
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of
from pipelines.costs.at_chance import chance_note
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.report import cost_tables, study_verdict, trial_names
from pipelines.report import page as report_page
from pipelines.report.charts import Best, Series, against_time
from pipelines.report.cost_tables import MARKS
from pipelines.report.page import NOTHING, Section, Table, number, with_error
from pipelines.report.sections import classes, course, learning, validation
from pipelines.study.report import seed_overlap
from pipelines.trials.method_rows import AgainstControl, Means, MethodRow, RatioOver
from pipelines.trials.search_space import settings_in, settings_text
from pipelines.trials.study_folder import DATA, StudyFolder
from pipelines.trials.study_tables import Point, StudyTables

GAIN = "gain over it"
#: A point with a time and a score, and its position in the figure.
Timed = tuple[Point, Best]
#: Returns a number from a method's means or deviations.
Value = Callable[[Means], float | None]
#: Columns of the table of best trials: heading, value, digits, and factor of the value.
OF_BEST: tuple[tuple[str, Value, int, int], ...] = (
    ("alpha_b %", lambda of: of.costs.alpha_b, 1, 100),
    ("alpha_fb %", lambda of: of.costs.alpha_fb, 1, 100),
    ("T_norm paper", lambda of: of.costs.time_paper, 3, 1),
    ("T_norm measured", lambda of: of.costs.time_measured, 3, 1),
    ("AGOT", lambda of: of.gains.agot, 3, 1),
    ("speed-up", lambda of: of.costs.speed_reached, 2, 1),
    ("its ceiling", lambda of: of.costs.speed_ceiling, 2, 1),
    ("share of it, %", lambda of: of.costs.speed_share, 0, 100),
)


def page(study: StudyFolder, written: StudyTables) -> str:
    """Return the page of a study."""
    manifest = Manifest.read(study.path / DATA / artifacts.MANIFEST)
    names, heads = [_name(r, written) for r in written.methods], _heads(written)
    columns = [r.columns() for r in written.methods]
    sections = [_means(written), *_figure(written), *_best(written), by_method(written)]
    sections += [cost_tables.times(columns, heads, names, written.agot_epsilon)]
    sections += [cost_tables.energy(columns, heads, names)]
    shown, training = (
        trial_names.best(study, written.methods),
        TrainingPlan.read(study.of(study.seeds[0]) / plan_of("training")),
    )
    sections += [*learning.of_study(study, shown), *validation.of_study(study, shown, manifest.judging_metric)]
    sections += classes.of_study(study, shown, manifest, training.training.epochs)
    sections += [*seed_overlap.of_study(study), *course.of_study(study), *_failed(written)]
    title = f"{written.task}: a study of selecting examples"
    return report_page.render(title, headline(written), sections, _facts(study, manifest), study_verdict.of_study(written))


def summary(written: StudyTables) -> tuple[list[str], Section]:
    """Return the headline and the table of means, as a run's description has them."""
    return headline(written), _means(written)


def headline(written: StudyTables) -> list[str]:
    """Return the lines below the title: what the seeds support, and methods at chance."""
    return [*_compared(written), *chance_note((r.method, r.means.above_chance) for r in written.methods)]


def _compared(written: StudyTables) -> list[str]:
    seeds, full = len(written.seeds), written.summary["full"]
    first = f"full has {written.metric} {with_error(full.mean, full.deviation)}."
    if seeds == 1:
        return [first, "One seed: there is no standard deviation, and differences may be chance."]
    if seeds < LEAST_SEEDS:
        return [first, f"{seeds} seeds are too few to say which method is above the best control at its own cost."]
    won = {m: [r.above_controls for r in written.methods if r.method == m] for m in _methods(written)}
    beats = "above the best control at its own cost, with a 95 % interval of the gain, paired by seed, that excludes 0,"
    if not any(any(wins) for wins in won.values()):
        return [first, f"No method is {beats} over {seeds} seeds: {', '.join(won)}."]
    counts = [f"{method} in {sum(map(bool, wins))} of {len(wins)} trials" for method, wins in won.items()]
    return [first, f"Trials {beats} over {seeds} seeds: {', '.join(counts)}."]


def _methods(written: StudyTables) -> list[str]:
    return [m for m in dict.fromkeys(r.method for r in written.methods) if m != "full"]


def _heads(written: StudyTables) -> list[str]:
    """Return the headings of the columns that name a row."""
    return ["method", "kept", *(["settings"] if any(r.settings for r in written.methods) else [])]


def _name(row: MethodRow, written: StudyTables) -> list[str]:
    """Return the texts that name a row: method, fraction, and settings if any vary."""
    trials = [row.method, "" if row.fraction is None else f"{row.fraction:g}", settings_text(settings_in(row.settings))]
    return trials[: len(_heads(written))]


def _means(written: StudyTables) -> Section:
    """Return the table of means and ranks, in the paper's form."""
    columns, metric = [written.summary[name] for name in written.columns], written.metric
    better = "higher" if written.higher_is_better else "lower"
    means = [with_error(column.mean, column.deviation) for column in columns]
    ranks = [number(column.rank, 2) for column in columns]
    seeds = [f"{column.seeds} of {len(written.seeds)}" for column in columns]
    rows = [[f"mean {metric}", *means], ["mean rank", *ranks], ["seeds with every fraction", *seeds]]
    best = {(0, _best_column([column.mean for column in columns], written.higher_is_better))}
    best |= {(1, _best_column([column.rank for column in columns], False))}
    deviation = "± is the standard deviation over seeds of the mean over fractions" if len(written.seeds) > 1 else "one seed"
    text = [
        f"{metric}: {better} is better; {deviation}. uniform and short are the controls, at each method's own cost. Ranks are "
        "among all trials of one fraction and seed, 1 for the best; ties share their mean rank."
    ]
    return Section("Means and mean ranks over the kept fractions", text, Table(["", *written.columns], rows, frozenset(best)))


def _best_column(values: list[float | None], higher: bool) -> int:
    """Return the column of the best value, after the rows' names; 0 without values."""
    known = [(v if higher else -v, -i) for i, v in enumerate(values) if v is not None]
    return 1 - max(known)[1] if known else 0


def _best(written: StudyTables) -> list[Section]:
    """Return the table of the Multistage paper: each method's trial of highest AGOT."""
    rows = [r for r in written.methods if r.agot_best]
    heads = [*_heads(written), written.metric, *(head for head, *_ in OF_BEST)]
    lines = [[*_name(r, written), _score(r), *(_spread(r, of, digits, by) for _, of, digits, by in OF_BEST)] for r in rows]
    text = [
        f"Each method's trial with the highest mean AGOT (epsilon {written.agot_epsilon:g}, measured time), as in the main "
        "table of arXiv 2207.14386. It is chosen by the same test scores that it is shown with: the best of many trials is in "
        "part luck."
    ]
    return [Section("The best of each method by AGOT", text, Table(heads, lines))] if rows else []


def _spread(row: MethodRow, of: Value, digits: int, by: int = 1) -> str:
    value, error = of(row.means), of(row.deviations)
    return with_error(value and by * value, error and by * error, digits)


def _score(row: MethodRow) -> str:
    return with_error(row.score.mean, row.score.deviation)


def by_method(written: StudyTables) -> Section:
    """Return the table of every method beside the best control at its cost."""
    metric = written.metric
    heads = [*_heads(written), "cost, epochs", metric, "best control", "its score", GAIN, "95 % interval", "p"]
    heads += ["cost ratio", "95 % interval", "CPU ratio", "95 % interval", "trained"]
    rows, best = [], set()
    for study, r in enumerate(written.methods):
        first = [*_name(r, written), _spread(r, lambda of: of.cost_epochs, 2), _score(r)]
        ratios = [*ratio(r.cost_ratio), *ratio(r.cpu_ratio)]
        rows.append([*first, *_control_columns(r.best_control), *ratios, number(r.means.examples_trained, 0)])
        if r.above_controls:
            best.add((study, heads.index(GAIN)))
    text = [
        "The controls of a method have its cost, in epochs over all data: the planned cost, or, if the cost depends on the "
        "losses, the method's measured cost with the same seed. Of tuned controls the best by its mean is shown: it is chosen "
        "by the test scores themselves, which favours it. Gains are paired by seed and positive if the method is better; p is "
        "that of Student's paired t-test, not corrected for the number of rows. " + _claim(len(written.seeds)),
        "The cost ratio is the method's cost over the cost at which the best control reaches the same "
        f"{metric}, on the line through the best controls of all costs that were tried; its interval is a bootstrap over "
        "seeds. The CPU ratio is the same in CPU seconds. Under 1 is a saving; for a score that no control reaches, only an "
        "upper bound of the ratio is known.",
    ]
    return Section("Each method beside its controls", text, Table(heads, rows, frozenset(best)))


def _claim(seeds: int) -> str:
    """Return a sentence on which rows are highlighted, and how many seeds that takes."""
    if seeds == 1:
        return "With one seed there is no deviation, no interval and no test."
    if seeds < LEAST_SEEDS:
        return f"With {seeds} seeds no row is highlighted as better than its controls: that takes {LEAST_SEEDS}."
    return "Highlighted rows are above every control at their cost, with intervals that exclude 0."


def _control_columns(held: AgainstControl) -> list[str]:
    """Return the best control and its score, and the gain with deviation, interval and p."""
    control, gain = held.control, held.gain
    first = [control.cell or NOTHING, with_error(control.mean, control.deviation), with_error(gain.mean, gain.deviation)]
    return [*first, between(gain.low, gain.high), number(gain.p, 3)]


def ratio(value: RatioOver) -> list[str]:
    """Return a ratio with its bound, and its interval."""
    bound = {"": "", "at most": "≤ ", "at least": "≥ "}[value.bound or ""]
    return [f"{bound}{number(value.value, 2)}", between(value.low, value.high, 2)]


def between(low: float | None, high: float | None, digits: int = 4) -> str:
    """Return an interval as text."""
    return NOTHING if low is None else f"{number(low, digits)} to {number(high, digits)}"


def series_of(written: StudyTables) -> list[Series]:
    """Return the figure's series: methods over fractions, and controls over costs.

    Points of a method with varied settings are not joined.
    """
    grouped: dict[str, list[Timed]] = {}
    for point in written.points:
        time, ceiling, score = point.time_measured.mean, point.time_counted.mean, point.score.mean
        if time is not None and ceiling is not None and score is not None:
            label = f"{point.head.method} (control)" if point.head.role == "control" else point.head.method
            grouped.setdefault(label, []).append((point, Best(time, score, ceiling)))
    return [_series(label, timed) for label, timed in grouped.items()]


def _series(label: str, timed: list[Timed]) -> Series:
    gains = [point.agot.mean if point.head.role == "method" else None for point, _ in timed]
    best = [timed[i][1] for i in best_by_gain([label] * len(timed), gains)]
    points = sorted((at.time, at.value, point.score.deviation) for point, at in timed)
    return Series(label, points, joined=not any(p.head.settings for p, _ in timed), best=best[0] if best else None)


def _figure(written: StudyTables) -> list[Section]:
    series = series_of(written)
    if not series:
        return []
    figure = against_time(series, f"test {written.metric}", written.higher_is_better)
    means = "means over seeds" if len(written.seeds) > 1 else "one seed"
    caption = f"{written.metric} against measured time: {means}, with the Pareto front. {MARKS}"
    return [Section(f"{written.metric} against time", figures=[report_page.drawing(figure, "time", caption)])]


def _failed(written: StudyTables) -> list[Section]:
    rows = [[r.head.cell, str(r.seed), r.error] for r in written.failed]
    return [Section("Trials without results", table=Table(["trial", "seed", "reason"], rows))] if rows else []


def _facts(study: StudyFolder, manifest: Manifest) -> list[tuple[str, str]]:
    done = [(s, c.name) for s in study.seeds for c in study.grid.trials if study.is_done(s, c.name)]
    if not done:
        return [("command", "python -m pipelines.study")]
    seed, name = done[0]
    return report_page.provenance(
        manifest,
        CostRecord.read(study.of(seed) / cost_of("train", name)),
        study.seeds,
        "python -m pipelines.study (make study)",
    )
