"""Verdict of a comparison of one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.costs.cost_ratio import Trained, cost_ratio
from pipelines.report.cost_charts import Point, against_cost
from pipelines.report.page import Figure, Verdict, drawing
from pipelines.report.verdict import of_chance, points, ratio_of

Row = dict[str, Any]
#: Standard errors of a difference on each side of its interval over the test examples.
ERRORS = 1.96


def of_comparison(rows: Sequence[Row], controls: set[str], metric: str, higher: bool, epochs: float) -> Verdict | None:
    """Return the verdict of a comparison of one seed; None where there is no method beside full and controls.

    Args:
        rows: of its table.
        controls: names of those that are controls.
        metric: what models are judged by.
        higher: whether more of it is better.
        epochs: of full.
    """
    full = next(r for r in rows if r["method"] == "full")
    others = [r for r in rows if r["method"] != "full" and r["method"] not in controls]
    if not others:
        return None
    best = max(others, key=lambda r: r[metric] if higher else -r[metric])
    trained = full["examples_trained"] / epochs
    blind = [r for r in rows if r["method"] in controls or r is full]

    def cost(row: Row) -> float:
        return float((row["examples_trained"] + row["examples_looked"] / 3) / trained)

    ratio = cost_ratio(_one(best, cost(best), metric), [_one(r, cost(r), metric) for r in blind], higher=higher)
    figures = [
        Figure(f"{best['time_measured']:.2f}", "of the CPU time of full", "one run"),
        Figure(f"{best[metric]:.4f}", f"{metric}; full has {full[metric]:.4f}", _over_examples(best, metric)),
    ]
    if ratio is not None and len(blind) > 1:
        figures.append(ratio_of(ratio.value, None, None, ratio.bound, metric))

    def point(row: Row) -> Point:
        return Point(row["method"], cost(row) / epochs, row[metric], ERRORS * (row.get(f"{metric}_standard_error") or 0.0))

    figure = against_cost([point(r) for r in blind], [point(r) for r in others], f"test {metric}", higher)
    caption = (
        f"{metric} against cost, full being 1: one seed; bars are 95 % intervals over the test examples, where these are known."
    )
    sentence = of_chance(best, metric) or _of_one(best, full, [r for r in blind if r is not full], metric, higher)
    return Verdict(sentence, figures, drawing(figure, "verdict", caption))


def _one(row: Row, cost: float, metric: str) -> Trained:
    return Trained([cost], [row[metric]])


def _over_examples(row: Row, metric: str) -> str:
    error = row.get(f"{metric}_standard_error")
    return "" if error is None else f"{row[metric] - ERRORS * error:.4f} to {row[metric] + ERRORS * error:.4f}"


def _of_one(best: Row, full: Row, blind: Sequence[Row], metric: str, higher: bool) -> str:
    """Return what one seed supports: a gain over the best control, with its interval over the test examples."""
    sign = 1 if higher else -1
    over_full = points(sign * (best[metric] - full[metric]), metric)
    head = f"{best['method']} took {best['time_measured']:.2f} of the time of full and differs from it by {over_full}"
    if not blind:
        return f"{head}. There is no control here to hold it against."
    rival = max(blind, key=lambda r: sign * r[metric])
    gain = sign * (best[metric] - rival[metric])
    errors = [r.get(f"{metric}_standard_error") for r in (best, rival)]
    if None in errors:
        return f"{head}, and from the best control, {rival['method']}, by {points(gain, metric)}. One seed."
    half = ERRORS * sum(e**2 for e in errors if e is not None) ** 0.5
    between = f"{points(gain - half, metric)} to {points(gain + half, metric)}"
    verb = "above" if gain - half > 0 else "level with" if gain + half > 0 else "below"
    over = f"{points(gain, metric)} ({between} over the test examples)"
    return f"{head}; it is {verb} the best control, {rival['method']}: {over}. One seed."
