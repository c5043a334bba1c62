"""Options of a training split: long tail, duplicates, label noise, target set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from pipelines.config.schema.sections import Section, Seed, Share


class LabelNoise(Section):
    """A fraction of the training labels, each replaced by another class: any, or with ``by_class`` the next of its class."""

    fraction: Share
    by_class: bool = False
    seed: Seed = 0


class TargetSet(Section):
    """The few examples that a large pool is to serve: a ``file`` of rows like the pool's, or ``rows`` of one ``domain``.

    With ``domain``, a value of the column that ``columns.domain`` names, the test split is of that domain, and training has
    ``rows`` of it beside the rows of all others.
    """

    file: str | None = None
    domain: str | None = None
    rows: PositiveInt | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_of_two(self) -> TargetSet:
        if (self.file is None) == (self.domain is None):
            raise ValueError(f"must name a file or a domain, got {'both' if self.file else 'neither'}")
        if (self.domain is None) != (self.rows is None):
            raise ValueError("rows: is how many of a domain training has: name both, or a file alone")
        return self


class LongTail(Section):
    """Class sizes cut to a profile whose largest is ``ratio`` times its smallest, exponentially (arXiv 1901.05555)."""

    ratio: Annotated[float, Field(gt=1)]
    seed: Seed = 0


class Duplicates(Section):
    """A fraction of the training rows, each replaced by a copy of one of the others; with ``near``, by one a little changed."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    near: bool = False
    seed: Seed = 0
