"""Charts of data and time: bars, histograms, curves and the data map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from pipelines.report.charts import COLOURS, INK, chart_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Colours of kept and left-out examples.
KEPT, LEFT = COLOURS[0], COLOURS[1]
BINS = 30


@dataclass(frozen=True)
class Bar:
    """One part of stacked bars, with its value in each; ``apart`` parts are hatched."""

    label: str
    values: Sequence[float]
    apart: bool = False


def bars(parts: Sequence[Bar], names: Sequence[str]) -> Figure:
    """Return stacked bars of CPU seconds by name, without parts that are 0 everywhere."""
    with chart_style() as plt:
        figure: Figure
        figure, axes = plt.subplots(figsize=(7.5, 1.6 + 0.42 * len(names)), layout="constrained")
        left = np.zeros(len(names))
        for part, colour in zip(parts, COLOURS, strict=False):
            if not any(part.values):
                continue
            style = {"hatch": "////", "edgecolor": INK, "linewidth": 0.5} if part.apart else {}
            axes.barh(names, part.values, left=left, color=colour, label=part.label, height=0.65, **style)
            left += part.values
        axes.invert_yaxis()
        axes.set_xlabel("CPU seconds")
        axes.grid(alpha=0.25, color=INK, axis="x")
        figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


@dataclass(frozen=True)
class Scores:
    """Scores of N examples ``(N,)``, NaN if missing, and a mask of those ``kept`` ``(N,)``."""

    title: str
    values: Array
    kept: Array

    @property
    def cut(self) -> float | None:
        """The lowest kept score; None if a higher one was left out."""
        known = ~np.isnan(self.values)
        kept, left = self.values[known & self.kept], self.values[known & ~self.kept]
        return float(kept.min()) if len(kept) and len(left) and kept.min() >= left.max() else None

    def finite(self) -> Scores:
        """Return the scores with infinite ones (never right) a step beyond the others."""
        known = self.values[np.isfinite(self.values)]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        step = max(1.0, (high - low) / BINS)
        values = np.clip(self.values, low - step, high + step)
        beyond = ", infinite ones at the end" if np.isinf(self.values).any() else ""
        return replace(self, title=self.title + beyond, values=values)


def histograms(found: Sequence[Scores]) -> Figure:
    """Return a histogram for each of ``found``: kept stacked on left out, and the cut."""
    with chart_style() as plt:
        figure: Figure
        columns = min(2, len(found))
        rows = -(-len(found) // columns)
        size = (7.5, 0.6 + 2.6 * rows)
        figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        for axes, one in zip(grid.flat, [scores.finite() for scores in found], strict=False):
            known = ~np.isnan(one.values)
            parts = [one.values[known & ~one.kept], one.values[known & one.kept]]
            axes.hist(parts, BINS, stacked=True, color=[LEFT, KEPT], label=["left out", "kept"])
            if one.cut is not None:
                axes.axvline(one.cut, color=INK, linestyle="--", linewidth=1)
            axes.set_title(one.title, fontsize=10)
            axes.set_xlabel("score")
            axes.set_ylabel("examples")
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


@dataclass(frozen=True)
class Curve:
    """A value by epoch against the cost so far.

    Attributes:
        spent: cost so far by axis, None if not known.
        parts: the curves that it is the mean of, drawn thin behind it.
    """

    label: str
    spent: Sequence[Sequence[float | None]]
    values: Sequence[float]
    parts: Sequence[Curve] = ()

    def at(self, axis: int) -> list[tuple[float, float]]:
        """Return the known points against one axis."""
        return [(x, y) for x, y in zip(self.spent[axis], self.values, strict=True) if x is not None]


def curves(found: Sequence[Curve], axes_named: Sequence[str], value: str, *, logarithmic: bool = True) -> Figure:
    """Return the curves in one panel for each of ``axes_named``, the x-axes; ``logarithmic`` if all values are above 0."""
    with chart_style() as plt:
        figure: Figure
        size = (9.0, 3.6)
        figure, grid = plt.subplots(1, len(axes_named), figsize=size, layout="constrained", squeeze=False, sharey=True)
        for number, (axes, name) in enumerate(zip(grid.flat, axes_named, strict=True)):
            for curve, colour in zip(found, itertools.cycle(COLOURS)):
                for part in curve.parts:
                    axes.plot(*zip(*part.at(number), strict=True), color=colour, alpha=0.35, linewidth=0.7)
                if known := curve.at(number):
                    axes.plot(*zip(*known, strict=True), "o-", color=colour, label=curve.label, markersize=3, linewidth=1.2)
            axes.set_xlabel(name)
            axes.set_xlim(left=0)
            # A panel is narrow, and Wh may need many digits.
            axes.locator_params(axis="x", nbins=4)
            axes.grid(alpha=0.25, color=INK)
        if logarithmic and all(y > 0 for curve in found for one in (curve, *curve.parts) for y in one.values):
            grid.flat[0].set_yscale("log")
        grid.flat[0].set_ylabel(value)
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


@dataclass(frozen=True)
class Map:
    """How often a method trained on each of M examples ``(M,)``."""

    title: str
    trained: Array


def data_map(variability: Array, confidence: Array, maps: Sequence[Map], most: int) -> Figure:
    """Return the data map, one panel for each method.

    Args:
        variability: of M examples ``(M,)``, the x-axis.
        confidence: of M examples ``(M,)``, the y-axis.
        maps: the methods' training counts, shown as colour.
        most: the count at the end of the colour scale.
    """
    with chart_style() as plt:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("kept", [LEFT, KEPT])
        columns = min(3, len(maps))
        rows = -(-len(maps) // columns)
        figure: Figure
        size = (6.0 if columns == 1 else 9.0, 0.5 + 3.2 * rows)
        figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(maps) :]:
            axes.set_visible(False)
        for axes, one in zip(grid.flat, maps, strict=False):
            style = {"cmap": colours, "vmin": 0, "vmax": most, "s": 9, "alpha": 0.7, "linewidths": 0, "rasterized": True}
            points = axes.scatter(variability, confidence, c=one.trained, **style)
            axes.set_title(one.title, fontsize=10)
            axes.set_xlabel("variability")
            axes.set_ylabel("confidence")
            axes.set_ylim(-0.03, 1.03)
        figure.colorbar(points, ax=list(grid.flat), label="times trained on", shrink=0.8)
    return figure
