"""Verdict of a study: the first screen of its page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from components.costs.paired import CONFIDENCE, LEAST_SEEDS
from components.costs.savings import NAMED
from pipelines.costs.at_chance import at_chance
from pipelines.report.page import NOTHING, Drawing, Figure, Verdict, drawing, number
from pipelines.trials.search_space import settings_in, settings_text

if TYPE_CHECKING:
    from pipelines.report.cost_charts import Point as Dot
    from pipelines.trials.method_rows import MethodRow
    from pipelines.trials.study_tables import Point, StudyTables

#: Metrics whose differences are shown in points (hundredths).
IN_POINTS = {name for names in NAMED.values() for name in names}


def of_study(written: StudyTables) -> Verdict:
    """Return the verdict of a study from its tables."""
    chart, best = _chart(written), best_of(written.methods)
    if best is None:
        return Verdict("No method has results beside its controls.", chart=chart)
    return Verdict(_sentence(best, written), _figures(best, written), chart)


def best_of(methods: Iterable[MethodRow]) -> MethodRow | None:
    """Return the row of the largest gain over the best control; None without gains.

    If any row is above all controls, it is chosen among these.
    """
    gained = [(bool(r.above_controls), gain, r) for r in methods if (gain := r.best_control.gain.mean) is not None]
    return max(gained, key=lambda each: each[:2])[-1] if gained else None


def name_of(row: MethodRow) -> str:
    """Return the name of a study's row: method, kept fraction and settings."""
    kept = [] if row.fraction is None else [f"{row.fraction:g} kept"]
    parts = [*kept, *([settings_text(settings_in(row.settings))] if row.settings else [])]
    return f"{row.method} ({', '.join(parts)})" if parts else row.method


def _sentence(best: MethodRow, written: StudyTables) -> str:
    metric, name, found = written.metric, name_of(best), best.best_control.gain
    if warning := of_chance(best.method, best.means.above_chance, best.means.chance, metric):
        return warning
    gain = f"{points(_known(found.mean), metric)} ({_between(found.low, found.high, metric)})"
    seeds = len(written.seeds)
    if best.above_controls is None:
        few = "one seed is" if seeds == 1 else f"{seeds} seeds are"
        return f"{name} is {gain} above the best control of its cost; {few} too few to be sure."
    if not best.above_controls:
        nearest = f"The nearest is {name}, {gain}."
        return f"No method is surely above the best control of its cost: take the short schedule. {nearest}"
    return f"{name} is surely above the best control of its cost, by {gain}{_saved(best, metric)}."


def of_chance(method: str, above: float | None, chance: float | None, metric: str) -> str:
    """Return a warning if even the best method may be at chance, else ""."""
    if not at_chance(above):
        return ""
    value = "" if chance is None else f", which has {metric} {chance:.4f}"
    return f"Nothing is compared here: {method} is not surely better than a constant prediction{value}."


def _saved(best: MethodRow, metric: str) -> str:
    ratio = best.cost_ratio
    if ratio.value is None or ratio.value >= 1:
        return ""
    least = "at least " if ratio.bound == "at most" else ""
    return f"; for the same {metric} the best control needs {least}{1 / ratio.value:.1f} times the cost"


def points(value: float, metric: str, *, sign: bool = True) -> str:
    """Return a difference of a metric, in points for metrics that are shares."""
    scaled, unit = (100 * value, " points") if metric in IN_POINTS else (value, "")
    return f"{scaled:+.2f}{unit}" if sign else f"{scaled:.2f}{unit}"


def _between(low: float | None, high: float | None, metric: str) -> str:
    if low is None or high is None:
        return "no interval"
    scale = 100 if metric in IN_POINTS else 1
    return f"{scale * low:+.2f} to {scale * high:+.2f}"


def _figures(best: MethodRow, written: StudyTables) -> list[Figure]:
    metric, full = written.metric, next((r.means.score for r in written.methods if r.method == "full"), None)
    beside, ratio = "" if full is None else f"; full has {full:.4f}", best.cost_ratio
    return [
        _time(best),
        Figure(
            f"{_known(best.means.score):.4f}",
            f"{metric}{beside}",
            _interval(best.score.mean, best.score.deviation, best.seeds, 4),
        ),
        ratio_of(ratio.value, ratio.low, ratio.high, ratio.bound, metric),
    ]


def _time(best: MethodRow) -> Figure:
    """Return the CPU time of a row, relative to full if known."""
    mean, deviation = best.means.costs, best.deviations.costs
    if mean.time_measured is None:
        between = _interval(mean.cpu_seconds, deviation.cpu_seconds, best.seeds, 1)
        return Figure(number(mean.cpu_seconds, 1), "CPU seconds", between)
    between = _interval(mean.time_measured, deviation.time_measured, best.seeds, 2)
    return Figure(f"{mean.time_measured:.2f}", "of the CPU time of full", between)


def ratio_of(value: float | None, low: float | None, high: float | None, bound: str | None, metric: str) -> Figure:
    """Return a cost ratio with its interval."""
    mark = {"at most": "≤ ", "at least": "≥ "}.get(bound or "", "")
    between = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return Figure(
        NOTHING if value is None else f"{mark}{value:.2f}", f"of the best control's cost for the same {metric}", between
    )


def _interval(mean: float | None, deviation: float | None, seeds: int, digits: int) -> str:
    """Return the interval of a mean over seeds as text, by Student's t."""
    half = _half(deviation, seeds)
    return f"{mean - half:.{digits}f} to {mean + half:.{digits}f}" if half and mean is not None else ""


def _half(deviation: float | None, seeds: int) -> float:
    """Return half a mean's interval, by Student's t; 0 with too few seeds."""
    if seeds < LEAST_SEEDS or deviation is None:
        return 0.0
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, seeds - 1) * deviation / seeds**0.5)


def _chart(written: StudyTables) -> Drawing | None:
    from pipelines.report.cost_charts import against_cost

    metric, seeds = written.metric, len(written.seeds)
    full = next((p.cost_epochs.mean for p in _placed(written) if p.head.role == "full"), None)
    if full is None:
        return None
    blind = [_dot(p, full, seeds) for p in _placed(written) if p.head.role != "method"]
    methods = [_dot(p, full, seeds) for p in _placed(written) if p.head.role == "method"]
    figure = against_cost(blind, methods, f"test {metric}", written.higher_is_better)
    bars = "; bars are 95 % intervals of the mean over seeds" if seeds >= LEAST_SEEDS else ""
    line = "The line is the best control at each cost; the shaded area is what controls reach"
    return drawing(figure, "verdict", f"{metric} against cost, full being 1. {line}{bars}.")


def _placed(written: StudyTables) -> list[Point]:
    """Return the points with a score and a cost."""
    return [p for p in written.points if p.score.mean is not None and p.cost_epochs.mean]


def _dot(point: Point, full: float, seeds: int) -> Dot:
    """Return a point of the chart, its cost relative to ``full``."""
    from pipelines.report.cost_charts import Point as Dot

    cost, score = _known(point.cost_epochs.mean), _known(point.score.mean)
    return Dot(point.head.method, cost / full, score, _half(point.score.deviation, seeds))


def _known(value: float | None) -> float:
    assert value is not None, "a row with a gain and a point with a cost have a score"
    return value
