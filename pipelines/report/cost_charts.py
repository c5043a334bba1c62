"""Chart of a metric against cost: controls as a line, methods as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.costs.cost_ratio import envelope
from pipelines.report.charts import COLOURS, INK, chart_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0)


@dataclass(frozen=True)
class Point:
    """A trial: label, cost relative to full, value, and half the width of the value's interval."""

    label: str
    cost: float
    value: float
    half: float


def against_cost(controls: Sequence[Point], methods: Sequence[Point], value: str, higher: bool) -> Figure:
    """Return the figure of a metric against cost.

    Args:
        controls: joined by a line; ``full`` is among them.
        methods: drawn as points.
        value: label of the y-axis.
        higher: whether a higher value is better.
    """
    with chart_style() as plt:
        figure: Figure
        figure, axes = plt.subplots(figsize=(6.2, 3.9), layout="constrained")
        every = [*controls, *methods]
        _shade(axes, controls, every, higher)
        axes.plot(
            [p.cost for p in controls], [p.value for p in controls], "o", color=INK, alpha=0.35, markersize=4, label="controls"
        )
        for colour, label in zip(COLOURS * 9, dict.fromkeys(p.label for p in methods), strict=False):
            own = [p for p in methods if p.label == label]
            style = {"fmt": "o", "elinewidth": 1.4, "capsize": 4, "markersize": 7, "color": colour, "label": label}
            axes.errorbar([p.cost for p in own], [p.value for p in own], yerr=[p.half for p in own], **style)
        _scale(axes, every)
        axes.set_xlabel("cost relative to full: examples trained, a look counted as a third")
        axes.set_ylabel(value)
        axes.margins(y=0.02)
        axes.grid(alpha=0.25, color=INK)
        figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _shade(axes: Axes, controls: Sequence[Point], every: Sequence[Point], higher: bool) -> None:
    """Draw the line of the best controls, and shade its worse side."""
    sign = 1 if higher else -1
    line = [(cost, sign * value) for cost, value in envelope([(p.cost, sign * p.value) for p in controls])]
    line.append((max(p.cost for p in every) * 1.05, line[-1][1]))
    worst = min(every, key=lambda p: sign * p.value - p.half)
    edge = worst.value - sign * (worst.half + 0.05 * abs(line[-1][1] - worst.value))
    axes.fill_between([c for c, _ in line], [v for _, v in line], edge, color=INK, alpha=0.07, linewidth=0)
    axes.plot([c for c, _ in line], [v for _, v in line], "-", color=INK, alpha=0.5, linewidth=1.2, label="best control")


def _scale(axes: Axes, every: Sequence[Point]) -> None:
    """Make the cost axis logarithmic, with plain numbers as labels."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    low = min(p.cost for p in every)
    axes.set_xlim(0.93 * low, 1.05 * max(p.cost for p in every))
    axes.xaxis.set_major_locator(FixedLocator([t for t in TICKS if t > 0.9 * low]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
