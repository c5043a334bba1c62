"""Verdict of a comparison of one seed."""

from __future__ import annotations

from collections.abc import Sequence

from components.costs.cost_ratio import Trained, cost_ratio
from components.costs.savings import Metric
from pipelines.report.cost_charts import Point, against_cost
from pipelines.report.page import Figure, Verdict, drawing
from pipelines.report.rows import ComparisonRow
from pipelines.report.study_verdict import of_chance, points, ratio_of

#: Standard errors of a difference on each side of its interval over the test examples.
ERRORS = 1.96


def of_comparison(rows: Sequence[ComparisonRow], controls: set[str], metric: Metric, epochs: float) -> Verdict | None:
    """Return the verdict of a comparison; None without a method beside full and controls.

    Args:
        rows: the comparison's rows.
        controls: names of the controls.
        metric: the judging metric.
        epochs: epochs of full.
    """
    full = next(r for r in rows if r.method == "full")
    others = [r for r in rows if r.method != "full" and r.method not in controls]
    if not others:
        return None
    best = max(others, key=lambda r: r.score if metric.higher else -r.score)
    trained = full.examples_trained / epochs
    blind = [r for r in rows if r.method in controls or r is full]

    def cost(row: ComparisonRow) -> float:
        return (row.examples_trained + row.examples_looked / 3) / trained

    def one(row: ComparisonRow) -> Trained:
        return Trained([cost(row)], [row.score])

    ratio = cost_ratio(one(best), [one(r) for r in blind], higher=metric.higher)
    figures = [
        Figure(f"{best.time_measured:.2f}", "of the CPU time of full", "one run"),
        Figure(f"{best.score:.4f}", f"{metric.name}; full has {full.score:.4f}", _over_examples(best)),
    ]
    if ratio is not None and len(blind) > 1:
        figures.append(ratio_of(ratio.value, None, None, ratio.bound, metric.name))

    def point(row: ComparisonRow) -> Point:
        return Point(row.method, cost(row) / epochs, row.score, ERRORS * (row.standard_error or 0.0))

    figure = against_cost([point(r) for r in blind], [point(r) for r in others], f"test {metric.name}", metric.higher)
    caption = f"{metric.name} against cost, full being 1: one seed; bars are 95 % intervals over the test examples, if known."
    sentence = of_chance(best.method, best.above_chance, best.chance, metric.name)
    sentence = sentence or _of_one(best, full, [r for r in blind if r is not full], metric)
    return Verdict(sentence, figures, drawing(figure, "verdict", caption))


def _over_examples(row: ComparisonRow) -> str:
    error = row.standard_error
    return "" if error is None else f"{row.score - ERRORS * error:.4f} to {row.score + ERRORS * error:.4f}"


def _of_one(best: ComparisonRow, full: ComparisonRow, blind: Sequence[ComparisonRow], metric: Metric) -> str:
    """Return the gain over the best control, with its interval over the test examples."""
    sign, name = 1 if metric.higher else -1, metric.name
    over_full = points(sign * (best.score - full.score), name)
    head = f"{best.method} took {best.time_measured:.2f} of the time of full and differs from it by {over_full}"
    if not blind:
        return f"{head}. There is no control here to compare it with."
    rival = max(blind, key=lambda r: sign * r.score)
    gain = sign * (best.score - rival.score)
    errors = [e for e in (best.standard_error, rival.standard_error) if e is not None]
    if len(errors) < 2:
        return f"{head}, and from the best control, {rival.method}, by {points(gain, name)}. One seed."
    half = ERRORS * sum(e**2 for e in errors) ** 0.5
    between = f"{points(gain - half, name)} to {points(gain + half, name)}"
    verb = "above" if gain - half > 0 else "level with" if gain + half > 0 else "below"
    over = f"{points(gain, name)} ({between} over the test examples)"
    return f"{head}; it is {verb} the best control, {rival.method}: {over}. One seed."
