"""Page of a study: findings, tables, provenance."""

from __future__ import annotations

import json
from typing import Any

from components.costs.comparison import best_by_gain
from components.costs.paired import LEAST_SEEDS
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.costs.columns import chance_note
from pipelines.report import page as report_page
from pipelines.report import tables, verdict
from pipelines.report.charts import Best, Series, against_time
from pipelines.report.page import NOTHING, Section, Table, number, with_error
from pipelines.report.sections import classes, course, learning, trials
from pipelines.report.tables import MARKS
from pipelines.study.report import overlap
from pipelines.trials.folder import DATA, Place
from pipelines.trials.search_space import told

Row = dict[str, Any]
GAIN = "gain over it"


def page(place: Place, written: Row) -> str:
    """Return the page of the study at ``place``, from what its JSON holds."""
    manifest = read_json(place.folder / DATA / artifacts.MANIFEST)
    names, heads = [_name(r, written) for r in written["methods"]], _heads(written)
    sections = [_means(written), *_figure(written), *_best(written), by_method(written)]
    sections += [tables.times(written["methods"], heads, names, written["agot_epsilon"])]
    sections += [tables.energy(written["methods"], heads, names)]
    shown, training = trials.best(place, written["methods"]), read_json(place.of(place.seeds[0]) / plan_of("training"))
    sections += learning.of_study(place, shown)
    sections += classes.of_study(place, shown, manifest, training["training"]["epochs"])
    sections += [*overlap.of_study(place), *course.of_study(place), *_failed(written)]
    title = f"{written['task']}: a study of selecting examples"
    return report_page.render(title, headline(written), sections, _facts(place, manifest), verdict.of_study(written))


def summary(written: Row) -> tuple[list[str], Section]:
    """Return the headline and the table of means: what there is room for beside the page."""
    return headline(written), _means(written)


def headline(written: Row) -> list[str]:
    """Return what the numbers say, and no more."""
    return [*_compared(written), *chance_note(written["methods"])]


def _compared(written: Row) -> list[str]:
    metric, seeds, full = written["metric"], len(written["seeds"]), written["summary"]["full"]
    first = f"full has {metric} {with_error(full['mean'], full['deviation'])}."
    if seeds == 1:
        return [first, "One seed: there is no standard deviation, and how much of a difference is chance is not known."]
    if seeds < LEAST_SEEDS:
        return [first, f"{seeds} seeds are too few to say which method is above the best control of its own cost."]
    won = {m: [r["above_controls"] for r in written["methods"] if r["method"] == m] for m in _methods(written)}
    beats = "above the best control of its own cost, with a 95 % interval of the gain, paired by seed, that excludes 0,"
    if not any(any(wins) for wins in won.values()):
        return [first, f"Nowhere is a method {beats} over {seeds} seeds: {', '.join(won)}."]
    told = [f"{method} in {sum(map(bool, wins))} of {len(wins)} cells" for method, wins in won.items()]
    return [first, f"How often each is {beats} over {seeds} seeds: {', '.join(told)}."]


def _methods(written: Row) -> list[str]:
    return [m for m in dict.fromkeys(r["method"] for r in written["methods"]) if m != "full"]


def _heads(written: Row) -> list[str]:
    """Return what a row's first cells are called."""
    return ["method", "kept", *(["settings"] if any(r["settings"] for r in written["methods"]) else [])]


def _name(row: Row, written: Row) -> list[str]:
    """Return a row's first cells: its method, the fraction it keeps, and its settings where any are varied."""
    settings = json.loads(row["settings"]) if row["settings"] else {}
    cells = [row["method"], "" if row["fraction"] is None else f"{row['fraction']:g}", told(tuple(settings.items()))]
    return cells[: len(_heads(written))]


def _means(written: Row) -> Section:
    """Return the table in the paper's form."""
    columns, summary, metric = written["columns"], written["summary"], written["metric"]
    better = "higher" if written["higher_is_better"] else "lower"
    means = [with_error(summary[c]["mean"], summary[c]["deviation"]) for c in columns]
    ranks = [number(summary[c]["rank"], 2) for c in columns]
    seeds = [f"{summary[c]['seeds']} of {len(written['seeds'])}" for c in columns]
    rows = [[f"mean {metric}", *means], ["mean rank", *ranks], ["seeds with every fraction", *seeds]]
    best = {(0, _place_of_best([summary[c]["mean"] for c in columns], written["higher_is_better"]))}
    best |= {(1, _place_of_best([summary[c]["rank"] for c in columns], False))}
    deviation = "± is the standard deviation over seeds of the mean over fractions" if len(written["seeds"]) > 1 else "one seed"
    text = [
        f"{metric}: {better} is better; {deviation}. uniform and short are the controls, at each method's own cost. Ranks are "
        "among all cells of one fraction and seed, 1 for the best, equal ones sharing the mean of their places."
    ]
    return Section("Means and mean ranks over the kept fractions", text, Table(["", *columns], rows, frozenset(best)))


def _place_of_best(values: list[float | None], higher: bool) -> int:
    """Return the column of the best value, counted with the rows' names before it; 0 where there is none."""
    known = [(v if higher else -v, -i) for i, v in enumerate(values) if v is not None]
    return 1 - max(known)[1] if known else 0


def _best(written: Row) -> list[Section]:
    """Return the table of the Multistage paper: of each method the cell of highest AGOT."""
    rows = [r for r in written["methods"] if r["agot_best"]]
    heads = [*_heads(written), written["metric"], "alpha_b %", "alpha_fb %", "T_norm paper", "T_norm measured", "AGOT"]
    heads += ["speed-up", "its ceiling", "share of it, %"]
    keys = [("alpha_b", 1, 100), ("alpha_fb", 1, 100), ("time_paper", 3, 1), ("time_measured", 3, 1), ("agot", 3, 1)]
    keys += [("speed_reached", 2, 1), ("speed_ceiling", 2, 1), ("speed_share", 0, 100)]
    lines = [[*_name(r, written), _spread(r, written["metric"]), *(_spread(r, *key) for key in keys)] for r in rows]
    text = [
        f"Of each method the cell with the highest mean AGOT (epsilon {written['agot_epsilon']:g}, measured time), as in the "
        "main table of arXiv 2207.14386. It is chosen by the test split that it is shown on: of many cells the best is in part "
        "luck."
    ]
    return [Section("The best of each method by AGOT", text, Table(heads, lines))] if rows else []


def _spread(row: Row, key: str, digits: int | None = None, by: int = 1) -> str:
    value, error = row[key], row[f"{key}_deviation"]
    return with_error(value and by * value, error and by * error, digits)


def by_method(written: Row) -> Section:
    """Return the table of every method beside the best control of its cost."""
    metric = written["metric"]
    heads = [*_heads(written), "cost, epochs", metric, "best control", "its score", GAIN, "95 % interval", "p"]
    heads += ["cost ratio", "95 % interval", "CPU ratio", "95 % interval", "trained"]
    rows, best = [], set()
    for place, r in enumerate(written["methods"]):
        first = [*_name(r, written), _spread(r, "cost_epochs", 2), _spread(r, metric)]
        held = [r["best_control_cell"] or NOTHING, _spread(r, "best_control"), *_gain(r, "gain_over_best_control")]
        ratios = [cell for key in ("cost_ratio", "cpu_ratio") for cell in ratio(r, key)]
        rows.append([*first, *held, *ratios, number(r["examples_trained"], 0)])
        if r["above_controls"]:
            best.add((place, heads.index(GAIN)))
    text = [
        "The controls of a method have its cost, in epochs over everything: that which was planned, or where the losses decide "
        "it, that which the method really had with the same seed. Where they are tuned, the best by its mean stands here: it "
        "is chosen by the scores that judge, which favours it. Gains are paired by seed and positive where the method is "
        "better, p is of Student's paired t-test and not corrected for the number of rows. " + _claim(len(written["seeds"])),
        "The cost ratio is what the method costs over what the best control needs for the same "
        f"{metric}, on the line through the best controls of all costs that were tried; its interval is a bootstrap over "
        "seeds. The CPU ratio is the same in CPU seconds. Under 1 is a saving; of a score that no control has it is only known "
        "that the ratio is at most so much.",
    ]
    return Section("Each method beside its controls", text, Table(heads, rows, frozenset(best)))


def _claim(seeds: int) -> str:
    """Return what stands out, and how many seeds that takes."""
    if seeds == 1:
        return "With one seed there is no deviation, no interval and no test."
    if seeds < LEAST_SEEDS:
        return f"With {seeds} seeds it is not said which is better than its controls: that takes {LEAST_SEEDS}."
    return "Those that stand out are above every control of their cost, with intervals that exclude 0."


def _gain(row: Row, key: str) -> list[str]:
    """Return a gain with its deviation, its interval and its p."""
    return [_spread(row, key), _between(row, key), number(row[f"{key}_p"], 3)]


def ratio(row: Row, key: str) -> list[str]:
    """Return a ratio, with what bounds it, and its interval."""
    bound = {"": "", "at most": "≤ ", "at least": "≥ "}[row[f"{key}_bound"] or ""]
    return [f"{bound}{number(row[key], 2)}", _between(row, key, 2)]


def _between(row: Row, key: str, digits: int = 4) -> str:
    """Return the interval of the column ``key``."""
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return NOTHING if low is None else f"{number(low, digits)} to {number(high, digits)}"


def series_of(written: Row) -> list[Series]:
    """Return the points of the figure: a line a method over its fractions, and one a control over its costs.

    Where a method's settings are varied its points are no line.
    """
    metric = written["metric"]
    grouped: dict[str, list[Row]] = {}
    for r in written["points"]:
        if r[metric] is not None and r["time_measured"] is not None:
            grouped.setdefault(f"{r['method']} (control)" if r["role"] == "control" else r["method"], []).append(r)
    return [_series(label, rows, metric) for label, rows in grouped.items()]


def _series(label: str, rows: list[Row], metric: str) -> Series:
    points = sorted((r["time_measured"], r[metric], r[f"{metric}_deviation"]) for r in rows)
    gains = [r["agot"] if r["role"] == "method" else None for r in rows]
    best = [rows[place] for place in best_by_gain([label] * len(rows), gains)]
    mark = Best(best[0]["time_measured"], best[0][metric], best[0]["time_counted"]) if best else None
    return Series(label, points, joined=not any(r["settings"] for r in rows), best=mark)


def _figure(written: Row) -> list[Section]:
    series = series_of(written)
    if not series:
        return []
    figure = against_time(series, f"test {written['metric']}", written["higher_is_better"])
    means = "means over seeds" if len(written["seeds"]) > 1 else "one seed"
    caption = f"{written['metric']} against measured time: {means}, and the front that no other cell beats in both. {MARKS}"
    return [Section(f"{written['metric']} against time", figures=[report_page.drawing(figure, "time", caption)])]


def _failed(written: Row) -> list[Section]:
    rows = [[r["cell"], str(r["seed"]), r["error"]] for r in written["cells"] if r["error"]]
    return [Section("Cells without results", table=Table(["cell", "seed", "reason"], rows))] if rows else []


def _facts(place: Place, manifest: Row) -> list[tuple[str, str]]:
    done = [(s, c.name) for s in place.seeds for c in place.grid.cells if place.done(s, c.name)]
    if not done:
        return [("command", "python -m pipelines.study")]
    seed, name = done[0]
    return report_page.provenance(
        manifest, read_json(place.of(seed) / cost_of("train", name)), place.seeds, "python -m pipelines.study (make study)"
    )
