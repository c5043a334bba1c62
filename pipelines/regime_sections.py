"""What a task's training split may be made into: fewer examples of most classes, copies, wrong labels."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipelines.sections import Section, Seed, Share


class LabelNoise(Section):
    """A fraction of the training labels, each replaced by another class: any, or with ``by_class`` the next of its class."""

    fraction: Share
    by_class: bool = False
    seed: Seed = 0


class LongTail(Section):
    """Class sizes cut to a profile whose largest is ``ratio`` times its smallest, exponentially (arXiv 1901.05555)."""

    ratio: Annotated[float, Field(gt=1)]
    seed: Seed = 0


class Duplicates(Section):
    """A fraction of the training rows, each replaced by a copy of one of the others; with ``near``, by one a little changed."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    near: bool = False
    seed: Seed = 0
