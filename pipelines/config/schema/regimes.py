"""Options of a training split: long tail, duplicates, label noise, target set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from pipelines.config.schema.sections import Section, Seed, Share


class LabelNoise(Section):
    """A fraction of training labels, replaced by a random other class, or with ``by_class`` the next one."""

    fraction: Share
    by_class: bool = False
    seed: Seed = 0


class TargetSet(Section):
    """A small target set beside a large pool: a ``file`` of rows, or ``rows`` of one ``domain``.

    With ``domain``, a value of the column that ``columns.domain`` names, the test split has that domain only, and training
    has ``rows`` of it beside all rows of other domains.
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
            raise ValueError("rows: is the number of a domain's rows in training; set both rows and domain, or a file alone")
        return self


class LongTail(Section):
    """Class sizes cut to an exponential profile; the largest is ``ratio`` times the smallest (arXiv 1901.05555)."""

    ratio: Annotated[float, Field(gt=1)]
    seed: Seed = 0


class Duplicates(Section):
    """A fraction of training rows, each replaced by a copy of another, slightly changed with ``near``."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    near: bool = False
    seed: Seed = 0
