"""Raw data of a source: plain columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import cast

from components.arrays import Array
from pipelines.sources.pixel_writer import Pixels

#: Splits of a source after the first, which is for training.
TESTED, VALIDATES = 1, 2
#: Values of one input, ``(N,)``.
Column = Sequence[object] | Array


@dataclass(frozen=True)
class Raw:
    """A data set as read from its source.

    Attributes:
        inputs: ``text`` and ``text_pair`` -> ``(N,)`` texts; for a table, each column by name -> ``(N,)`` values as
            found, None if missing; ``audio`` -> paths of sounds; empty for images.
        label: ``(N,)`` as found: text, integer or float; 0 for running text.
        tested: ``(N,)`` bool, the source's own test rows; None if it has no test split.
        validates: ``(N,)`` bool, the source's own validation rows; None if it has none.
        names: of the classes, if the source has them.
        dropped: number of rows left out by the task's ``drop_empty``.
        aimed: ``(N,)`` bool, rows of the task's target set or domain; None if the task has none.
        changes: number of changed rows by kind of change.
        pixels: of images, or sounds; None for other data.
        group: ``(N,)`` text, name of each row's group; None if the task names no such column.
    """

    inputs: dict[str, Column]
    label: Array
    tested: Array | None
    names: list[str] | None = None
    dropped: int = 0
    aimed: Array | None = None
    changes: dict[str, int] = field(default_factory=dict)
    pixels: Pixels | None = None
    validates: Array | None = None
    group: Array | None = None

    @property
    def texts(self) -> dict[str, Sequence[str]]:
        """The inputs of a task of texts."""
        return cast("dict[str, Sequence[str]]", self.inputs)


def splits_of(split: Array, there: Collection[int]) -> tuple[Array | None, Array | None]:
    """Return masks ``(N,)`` of the test and the validation rows; None for a split that is not ``there``.

    Args:
        split: ``(N,)`` the split of each row.
        there: the splits that the source has.
    """
    return (split == TESTED if TESTED in there else None, split == VALIDATES if VALIDATES in there else None)
