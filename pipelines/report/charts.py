"""Charts: a metric against time, and methods' own figures over epochs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from components.costs.savings import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Placeholder for the text colour of the page, which depends on the reader's theme.
INK = "#123456"
#: Colours of lines and points; visible on light and dark pages.
COLOURS = ("#4c8fd6", "#e08a2e", "#3fa66b", "#c85a7c", "#8f79d6", "#8c9a2e", "#2ea6a6", "#b5763d", "#d8523f", "#7d8aa0")
STYLE: Any = {
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "svg.fonttype": "none",
    "svg.hashsalt": "winnow", "font.size": 10, "savefig.dpi": 160,
}  # fmt: skip
Course = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Series:
    """Points of one label: time, value, and the value's error or None.

    Attributes:
        joined: whether a line joins them.
        best: the point of highest AGOT, if it is to be marked.
    """

    label: str
    points: Sequence[tuple[float, float, float | None]]
    joined: bool = False
    best: Best | None = None


@dataclass(frozen=True)
class Best:
    """A method's point of highest AGOT; ``ceiling`` is the time of its passes alone."""

    time: float
    value: float
    ceiling: float


def against_time(series: Sequence[Series], value: str, higher: bool) -> Figure:
    """Return a figure of ``value`` against normalised time, with the Pareto front."""
    with chart_style() as plt:
        figure: Figure
        figure, axes = plt.subplots(figsize=(7.5, 5.0), layout="constrained")
        every = [(x, y) for s in series for x, y, _ in s.points]
        front = [every[i] for i in pareto_front(every, higher=higher)]
        axes.plot(*zip(*front, strict=True), "o-", color=INK, alpha=0.18, markersize=13, zorder=1, label="Pareto front")
        for number, one in enumerate(series):
            x, y = [p[0] for p in one.points], [p[1] for p in one.points]
            errors = [p[2] or 0.0 for p in one.points]
            style = {"fmt": "o-" if one.joined else "o", "elinewidth": 0.8, "capsize": 3, "linewidth": 1.2}
            axes.errorbar(x, y, yerr=errors, color=COLOURS[number % len(COLOURS)], label=one.label, zorder=2, **style)
            if one.best:
                _mark(axes, one.best, COLOURS[number % len(COLOURS)])
        _explain(axes, marked=any(one.best for one in series))
        axes.set_xlabel("normalised time: all CPU seconds over those of full")
        axes.set_ylabel(value)
        axes.set_xlim(0, 1.05 * max(x for x, _ in every))
        axes.grid(alpha=0.25, color=INK)
        figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _mark(axes: Axes, best: Best, colour: str) -> None:
    """Mark the best point with a star, and its ceiling with a dotted line and a bar."""
    axes.plot([best.ceiling, best.time], [best.value] * 2, ":", color=colour, linewidth=1.2, zorder=2)
    axes.plot([best.ceiling], [best.value], "|", markersize=12, markeredgewidth=2, color=colour, linewidth=1.2, zorder=2)
    axes.plot([best.time], [best.value], "*", color=colour, markeredgecolor=INK, markersize=14, zorder=3)


def _explain(axes: Axes, *, marked: bool) -> None:
    """Add the marks to the legend."""
    if marked:
        axes.plot([], [], "*", color="none", markeredgecolor=INK, markersize=11, label="best AGOT of a method")
        axes.plot([], [], ":|", color=INK, markeredgewidth=2, markersize=9, label="its ceiling in time")


def courses(panels: Sequence[tuple[str, Course]]) -> Figure:
    """Return a figure of one method's own figures by epoch, one panel for each title."""
    with chart_style() as plt:
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        size = (7.5, 3.4) if columns == 1 else (8.5, 0.6 + 2.4 * rows)
        figure: Figure
        figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, lines) in zip(grid.flat, panels, strict=False):
            for number, (name, points) in enumerate(lines.items()):
                axes.plot(*zip(*points, strict=True), color=COLOURS[number % len(COLOURS)], label=name, linewidth=1.4)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("epochs")
            axes.grid(alpha=0.25, color=INK)
        names = list(dict.fromkeys(name for _, lines in panels for name in lines))
        figure.legend(
            *grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(names)), fontsize=9
        )
    return figure


class chart_style:  # noqa: N801 - a context
    """Context that gives pyplot in the style of the figures."""

    def __enter__(self) -> ModuleType:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        self._context = mpl.rc_context(STYLE)
        self._context.__enter__()
        return plt

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)


def to_png(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path`` on a white background."""
    figure.savefig(path, dpi=120, facecolor="white")
    _close(figure)


def to_svg(figure: Figure, name: str, text: str) -> str:
    """Return ``figure`` as an SVG element in the page's text colour.

    Args:
        figure: to draw; it is closed.
        name: prefix of its ids, unique on the page.
        text: alternative text.
    """
    import matplotlib as mpl

    out = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    _close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    label = text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r'<svg ([^>]*?)width="[^"]*"', f'<svg \\1role="img" aria-label="{label}"', svg, count=1, flags=re.DOTALL)


def _close(figure: Figure) -> None:
    from matplotlib import pyplot as plt

    plt.close(figure)
