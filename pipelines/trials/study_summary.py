"""Summary of a study: rows of methods, and the table of means and ranks.

The table has the form of tables 3 and 4 of AdaSelection (arXiv 2306.10728). It needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.paired import paired
from components.costs.savings import Metric, best_by_gain, mean_and_deviation, ranks
from pipelines.core.records import Record
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.method_rows import BEST, AgainstControl, Control, GainOver, Means, MethodRow, RatioOver, Spread
from pipelines.trials.rows import Head, TrialRow, scores

#: Returns the best of the named trials.
Best = Callable[[Sequence[str]], str]
#: Scores by trial and seed.
Scores = Mapping[tuple[str, int], float]


class Column(Record):
    """A column of the paper's table.

    Attributes:
        mean: over fractions and seeds.
        deviation: over seeds.
        seeds: number of seeds that have trials at every fraction; only these count.
        rank: mean rank.
        ranked: number of pairs of fraction and seed that have a rank.
    """

    mean: float | None
    deviation: float | None
    seeds: int
    rank: float | None
    ranked: int


def columns_at(grid: Grid, fraction: float | None, best: Best) -> dict[str, list[str]]:
    """Return the trials of each column of the paper's table at ``fraction``.

    Varied settings have columns of their own. ``full`` and methods without a fraction are the same at all fractions. A
    control's column has a trial for every cost of a method at this fraction, the best one if they are tuned. A control that
    is also a method of the study has a second column, ``by fraction``.
    """
    methods = [c for c in grid.trials if c.role == "method" and c.fraction in (None, fraction)]
    placed = {control: [best(names) for c in methods if (names := rivals(c, grid)[control])] for control in grid.kinds}
    columns = {"full": ["full"], **{k: list(dict.fromkeys(v)) for k, v in placed.items()}}
    return columns | {f"{c.column} by fraction" if c.method in grid.kinds else c.column: [c.name] for c in methods}


def rivals(trial: Trial, grid: Grid) -> dict[str, list[str]]:
    """Return a trial's controls by kind; ``full`` if it costs no less than that."""
    if trial.controls == ("full",):
        return {kind: ["full"] for kind in grid.kinds}
    return {kind: [name for name in trial.controls if grid[name].method == kind] for kind in grid.kinds}


def best_of(value: Scores, seeds: Sequence[int], metric: Metric) -> Best:
    """Return a function that names the best trial by its mean over ``seeds``.

    It chooses among the trials with results for most of the seeds.
    """

    def best(names: Sequence[str]) -> str:
        def merit(name: str) -> tuple[int, float]:
            values = [value[name, s] for s in seeds if (name, s) in value]
            return len(values), (fmean(values) if metric.higher else -fmean(values)) if values else 0.0

        return max(names, key=merit)

    return best


def summary(rows: Iterable[TrialRow], grid: Grid, metric: Metric) -> dict[str, Column]:
    """Return the columns of the paper's table by name.

    A seed counts for a column if it has results at every fraction; ranks are among the trials with results.
    """
    value = scores(rows)
    fractions: list[float | None] = [*sorted({c.fraction for c in grid.trials if c.fraction is not None})] or [None]
    seeds = sorted({seed for _, seed in value})
    tables = [columns_at(grid, f, best_of(value, seeds, metric)) for f in fractions]
    placed = [_ranked(table, value, s, metric) for s in seeds for table in tables]
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: _column([t[name] for t in tables if name in t], value, seeds, _ranks_in(name, placed)) for name in names}


def _column(there: list[list[str]], value: Scores, seeds: list[int], studies: list[float]) -> Column:
    """Return a column from its trials at each fraction, ``there``, and its ranks, ``studies``."""
    each = [_mean([_mean([value.get((n, s)) for n in names]) for names in there]) for s in seeds]
    mean, deviation = mean_and_deviation([e for e in each if e is not None])
    whole = sum(e is not None for e in each)
    return Column(mean=mean, deviation=deviation, seeds=whole, rank=fmean(studies) if studies else None, ranked=len(studies))


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, None if any value is missing."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _ranks_in(column: str, placed: Iterable[dict[str, float]]) -> list[float]:
    return [ranked[column] for ranked in placed if column in ranked]


def _ranked(table: dict[str, list[str]], value: Scores, seed: int, metric: Metric) -> dict[str, float]:
    """Return the mean rank of each column's trials among all trials of one fraction and seed."""
    names = [n for n in dict.fromkeys(n for trials in table.values() for n in trials) if (n, seed) in value]
    rank = dict(zip(names, ranks([value[n, seed] for n in names], higher=metric.higher), strict=True))
    held = {column: [rank[n] for n in trials if n in rank] for column, trials in table.items()}
    return {column: fmean(studies) for column, studies in held.items() if studies}


def by_method(rows: list[TrialRow], grid: Grid, metric: Metric) -> list[MethodRow]:
    """Return a row for ``full`` and every method, fraction and setting, with its controls.

    The control of each kind, and of all kinds, is the best by its mean. It is chosen by the test scores themselves, which
    favours the controls. Gains are paired by seed, and positive if the method is better; ``low`` and ``high`` are the bounds
    of their 95 % interval, ``p`` is that of a paired t-test. ``above_controls`` is None with too few seeds. ``cost_ratio`` and
    ``cpu_ratio`` are the method's cost relative to the cost at which the best control reaches the same score. ``agot_best``
    marks the row of highest mean AGOT of each method.
    """
    table = [_of_method(trial, grid, rows, metric) for trial in grid.trials if trial.role != "control"]
    best = best_by_gain([r.method for r in table], [r.means.gains.agot for r in table])
    table = [replace(row, agot_best=study in best) for study, row in enumerate(table)]
    return sorted(table, key=lambda r: r.method != "full")


def _of_method(trial: Trial, grid: Grid, rows: list[TrialRow], metric: Metric) -> MethodRow:
    mine, head = with_scores(rows, trial.name), Head.of(trial)
    row = MethodRow(
        method=head.method,
        fraction=head.fraction,
        settings=head.settings,
        planned_cost_epochs=trial.cost,
        seeds=len(mine),
        metric=metric.name,
        means=Means.of(mine, lambda spread: spread.mean),
        deviations=Means.of(mine, lambda spread: spread.deviation),
        held=dict.fromkeys((*grid.kinds, BEST), AgainstControl()),
    )
    return row if trial.role == "full" else _with_control_gains(row, trial, grid, rows, metric)


def with_scores(rows: Iterable[TrialRow], trial: str) -> list[TrialRow]:
    """Return the rows of a trial that have a score."""
    return [r for r in rows if r.head.cell == trial and r.score is not None]


def _with_control_gains(row: MethodRow, trial: Trial, grid: Grid, rows: list[TrialRow], metric: Metric) -> MethodRow:
    """Return the row of a method, completed with gains over its controls and cost ratios."""
    value = scores(rows)
    mine = {seed: score for (name, seed), score in value.items() if name == trial.name}
    best = best_of(value, list(mine), metric)
    names = {kind: best(trials) for kind, trials in rivals(trial, grid).items()}
    names[BEST] = best(list(names.values()))
    held = {kind: _against(name, mine, value, metric) for kind, name in names.items()}
    sure = [surely for _, surely in held.values()]
    return replace(
        row,
        held={kind: against for kind, (against, _) in held.items()},
        cost_ratio=_ratio(trial, rows, lambda r: r.cost_epochs, metric),
        cpu_ratio=_ratio(trial, rows, lambda r: r.costs.cpu_seconds, metric),
        above_controls=None if None in sure else all(sure),
    )


def _against(name: str, mine: dict[int, float], value: Scores, metric: Metric) -> tuple[AgainstControl, bool | None]:
    """Return the comparison with a control over common seeds, and whether it is sure."""
    pairs = [(score, value[name, seed]) for seed, score in mine.items() if (name, seed) in value]
    gain = paired([m for m, _ in pairs], [c for _, c in pairs], higher=metric.higher)
    spread = Spread.of(c for _, c in pairs)
    over = GainOver(gain.mean, gain.deviation, gain.low, gain.high, gain.p)
    return AgainstControl(Control(spread.mean, spread.deviation, name), over), gain.sure


def _ratio(trial: Trial, rows: list[TrialRow], cost: Callable[[TrialRow], float | None], metric: Metric) -> RatioOver:
    """Return a method's cost relative to controls at an equal score, over all its seeds."""
    mine = with_scores(rows, trial.name)
    seeds = [r.seed for r in mine]
    blind: dict[str, dict[int, TrialRow]] = {}
    for r in rows:
        if r.head.role != "method" and r.score is not None:
            blind.setdefault(r.head.cell, {})[r.seed] = r
    whole = [[by_seed[s] for s in seeds] for by_seed in blind.values() if all(s in by_seed for s in seeds)]
    trained, *controls = [_trained(trial, cost) for trial in (mine, *whole)]
    known = [control for control in controls if control is not None]
    if not mine or trained is None or len(known) < len(controls):
        return RatioOver(bound="")
    ratio = cost_ratio(trained, known, higher=metric.higher)
    return RatioOver(ratio.value, ratio.low, ratio.high, ratio.bound) if ratio else RatioOver(bound="")


def _trained(trial: list[TrialRow], cost: Callable[[TrialRow], float | None]) -> Trained | None:
    """Return a trial's costs and scores by seed; None if a cost is unknown or 0."""
    costs, found = [c for c in map(cost, trial) if c], [r.score for r in trial if r.score is not None]
    return Trained(costs, found) if len(costs) == len(trial) else None
