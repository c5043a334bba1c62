"""Figures of what a run did with its data and its time: bars, histograms, curves and the data map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from pipelines.figures import COLOURS, INK, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Of kept and left out.
KEPT, LEFT = COLOURS[0], COLOURS[1]
BINS = 30


@dataclass(frozen=True)
class Bar:
    """A part of stacked bars: its value in each; ``apart`` parts are hatched."""

    label: str
    values: Sequence[float]
    apart: bool = False


def bars(parts: Sequence[Bar], names: Sequence[str]) -> Figure:
    """Return stacked bars, one a name, in CPU seconds; parts that are 0 everywhere are left out."""
    with drawn() as plt:
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
    """Scores of N examples ``(N,)``, NaN where there is none, and which of them were ``kept`` ``(N,)``."""

    title: str
    values: Array
    kept: Array

    @property
    def cut(self) -> float | None:
        """The lowest score kept, where nothing above it was left out."""
        known = ~np.isnan(self.values)
        kept, left = self.values[known & self.kept], self.values[known & ~self.kept]
        return float(kept.min()) if len(kept) and len(left) and kept.min() >= left.max() else None


def histograms(found: Sequence[Scores]) -> Figure:
    """Return a panel for each of the scores ``found``: kept stacked on left out, and the cut."""
    with drawn() as plt:
        figure: Figure
        columns = min(2, len(found))
        rows = -(-len(found) // columns)
        size = (7.5, 0.6 + 2.6 * rows)
        figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        for axes, one in zip(grid.flat, found, strict=False):
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
