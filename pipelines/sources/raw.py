"""Raw data of a source: plain columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from components.arrays import Array
from pipelines.sources.pixel_writer import Pixels

#: Values of one input, ``(N,)``.
Column = Sequence[object] | Array


@dataclass(frozen=True)
class Raw:
    """A data set as found.

    Attributes:
        inputs: ``text`` and ``text_pair`` -> ``(N,)`` texts; of a table, each column by its name -> ``(N,)`` values as
            found, None where one is missing; of images, none.
        label: ``(N,)`` as found: text, integer or float; 0 where there is none to learn.
        tested: ``(N,)`` bool, which rows the source itself sets apart for testing; None where it has no test split.
        names: of the classes, where the source says them.
        dropped: rows that the source has and that are not here, by the task's ``drop_empty``.
        aimed: ``(N,)`` bool, which rows are of the task's target set or of its domain; None where the task has none.
        changes: what is not as it lay there, and in how many rows.
        pixels: of images; None where there are none.
    """

    inputs: dict[str, Column]
    label: Array
    tested: Array | None
    names: list[str] | None = None
    dropped: int = 0
    aimed: Array | None = None
    changes: dict[str, int] = field(default_factory=dict)
    pixels: Pixels | None = None

    @property
    def texts(self) -> dict[str, Sequence[str]]:
        """The inputs, where they are known to be texts."""
        return cast("dict[str, Sequence[str]]", self.inputs)
