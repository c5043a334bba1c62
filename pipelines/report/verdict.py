"""Verdict of a study: the first screen of its page."""

from __future__ import annotations

import json
from typing import Any

from components.costs.paired import CONFIDENCE, LEAST_SEEDS
from pipelines.costs.columns import at_chance
from pipelines.report.page import NOTHING, Drawing, Figure, Verdict, drawing, number
from pipelines.trials.search_space import told

Row = dict[str, Any]
#: Metrics that are told in points, a hundredth each.
IN_POINTS = ("accuracy", "macro_f1", "balanced_accuracy", "worst_class_accuracy")


def of_study(written: Row) -> Verdict:
    """Return the verdict of a study from what its JSON holds."""
    chart = _chart(written)
    rows = [r for r in written["methods"] if r["method"] != "full" and r["gain_over_best_control"] is not None]
    if not rows:
        return Verdict("No method has results beside its controls.", chart=chart)
    best = max(rows, key=lambda r: (bool(r["above_controls"]), r["gain_over_best_control"]))
    return Verdict(_sentence(best, written), _figures(best, written), chart)


def name_of(row: Row) -> str:
    """Return what a row of a study is called: the method, what it keeps, and its settings."""
    settings = json.loads(row["settings"]) if row["settings"] else {}
    parts = ([] if row["fraction"] is None else [f"{row['fraction']:g} kept"]) + (
        [told(tuple(settings.items()))] if settings else []
    )
    return f"{row['method']} ({', '.join(parts)})" if parts else str(row["method"])


def _sentence(best: Row, written: Row) -> str:
    metric, name = written["metric"], name_of(best)
    if said := of_chance(best, metric):
        return said
    gain = f"{points(best['gain_over_best_control'], metric)} ({_between(best, 'gain_over_best_control', metric)})"
    seeds = len(written["seeds"])
    if best["above_controls"] is None:
        few = "one seed is" if seeds == 1 else f"{seeds} seeds are"
        return f"{name} is {gain} above the best control of its cost, of which {few} too few to be sure."
    if not best["above_controls"]:
        nearest = f"What comes nearest is {name}, {gain}."
        return f"No method is surely above the best control of its cost: take the short schedule. {nearest}"
    return f"{name} is surely above the best control of its cost, by {gain}{_saved(best, metric)}."


def of_chance(best: Row, metric: str) -> str:
    """Return what is said where even the best method may be at chance, "" where it is above."""
    if not at_chance(best):
        return ""
    chance = best.get(f"chance_{metric}")
    value = "" if chance is None else f", which has {metric} {chance:.4f}"
    same = "a model that says the same of every example"
    return f"Nothing is compared here: {best['method']} is not surely better than {same}{value}."


def _saved(best: Row, metric: str) -> str:
    ratio = best["cost_ratio"]
    if ratio is None or ratio >= 1:
        return ""
    least = "at least " if best["cost_ratio_bound"] == "at most" else ""
    return f"; for the same {metric} the best control needs {least}{1 / ratio:.1f} times the cost"


def points(value: float, metric: str, *, sign: bool = True) -> str:
    """Return a difference of a metric, in points where it is a share."""
    scaled, unit = (100 * value, " points") if metric in IN_POINTS else (value, "")
    return f"{scaled:+.2f}{unit}" if sign else f"{scaled:.2f}{unit}"


def _between(row: Row, key: str, metric: str) -> str:
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    if low is None:
        return "no interval"
    scale = 100 if metric in IN_POINTS else 1
    return f"{scale * low:+.2f} to {scale * high:+.2f}"


def _figures(best: Row, written: Row) -> list[Figure]:
    metric, full = written["metric"], next((r for r in written["methods"] if r["method"] == "full"), None)
    beside = "" if full is None or full[metric] is None else f"; full has {full[metric]:.4f}"
    return [
        _time(best),
        Figure(f"{best[metric]:.4f}", f"{metric}{beside}", _spread(best, metric, 4)),
        ratio_of(best["cost_ratio"], best["cost_ratio_low"], best["cost_ratio_high"], best["cost_ratio_bound"], metric),
    ]


def _time(best: Row) -> Figure:
    """Return the CPU time of a row, in that of full where it is known."""
    if best["time_measured"] is None:
        return Figure(number(best["cpu_seconds"], 1), "CPU seconds", _spread(best, "cpu_seconds", 1))
    return Figure(f"{best['time_measured']:.2f}", "of the CPU time of full", _spread(best, "time_measured", 2))


def ratio_of(value: float | None, low: float | None, high: float | None, bound: str, metric: str) -> Figure:
    """Return the number of a cost ratio with its interval."""
    mark = {"at most": "≤ ", "at least": "≥ "}.get(bound, "")
    between = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return Figure(
        NOTHING if value is None else f"{mark}{value:.2f}", f"of the best control's cost for the same {metric}", between
    )


def _spread(row: Row, key: str, digits: int) -> str:
    """Return the interval of a mean over seeds, by Student's t."""
    half = _half(row[f"{key}_deviation"], row["seeds"])
    return f"{row[key] - half:.{digits}f} to {row[key] + half:.{digits}f}" if half else ""


def _half(deviation: float | None, seeds: int) -> float:
    """Return half of the interval of a mean over seeds, by Student's t; 0 of seeds that are too few for one."""
    if seeds < LEAST_SEEDS or deviation is None:
        return 0.0
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, seeds - 1) * deviation / seeds**0.5)


def _chart(written: Row) -> Drawing | None:
    from pipelines.report.cost_charts import Point, against_cost

    metric, seeds = written["metric"], len(written["seeds"])
    rows = [r for r in written["points"] if r[metric] is not None and r["cost_epochs"]]
    full = next((r for r in rows if r["role"] == "full"), None)
    if full is None:
        return None

    def point(row: Row) -> Point:
        half = _half(row[f"{metric}_deviation"], seeds)
        return Point(row["method"], row["cost_epochs"] / full["cost_epochs"], row[metric], half)

    blind = [point(r) for r in rows if r["role"] != "method"]
    methods = [point(r) for r in rows if r["role"] == "method"]
    figure = against_cost(blind, methods, f"test {metric}", written["higher_is_better"])
    bars = "; bars are 95 % intervals of the mean over seeds" if seeds >= LEAST_SEEDS else ""
    line = "The line is the best of the controls at each cost, and what is shaded they reach"
    return drawing(figure, "verdict", f"{metric} against cost, full being 1. {line}{bars}.")
