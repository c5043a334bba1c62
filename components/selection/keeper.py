"""What the methods at the door before the backward pass have in common: how an example becomes known, and what that costs."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from typing_extensions import override

from components.arrays import Array, stream
from components.selection.rules import Signals, largest
from components.selection.selector import LOOK_SHARE, Epoch, Look, Selector, check_fraction

if TYPE_CHECKING:
    from components.evidence import Evidence
    from components.tasks.examples import Examples

#: Batches that a whole batch is compared with.
WINDOW = 64
#: By how much each batch that is owed moves the share that passes: losses drift, and judged by older ones alone too many would
#: pass, or too few. The number kept is never further than ``1 / CORRECTION`` batches from the fraction.
CORRECTION = 0.25


class Keeper(Selector):
    """Keep the ``fraction`` of largest score out of each look; a method adds ``score``.

    ``look`` is one of

    * ``fresh``: a forward pass without gradients over every example, then a step on those kept;
    * ``stale(n)``: a fresh look every n-th epoch, in between what the last sight of each example showed;
    * ``whole-batch``: a training batch is kept or skipped as a whole, by the training pass itself, whose graph is then used;
      its mean loss is scored among those of the last batches.
    """

    def __init__(self, fraction: float, look: str = "fresh") -> None:
        """Set the fraction, in (0, 1], and how examples become known."""
        self.fraction = check_fraction("fraction", fraction)
        self.visits, self.whole = _visits(look), look == "whole-batch"
        self.window = np.zeros((0, 2), np.float32)
        self.batches = np.zeros(3, np.int64)

    @abstractmethod
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        """Return one number an example ``(B,)``, higher = keep; ``index`` ``(B,)`` are their places."""

    def take(self, seen: Signals) -> None:
        """Take in what is scored next: a look, or with ``whole-batch`` the means of the last batches."""

    @override
    def look(self, epoch: Epoch) -> Look | None:
        if self.fraction == 1:
            return None
        if self.whole:
            return "whole-batch"
        since = epoch.index - epoch.first
        return "recalled" if since > 0 and since % self.visits else "fresh"

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        if self.fraction == 1:
            return
        if self.whole:
            self._judge(evidence)
        else:
            self.take(evidence.signals)

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        if self.whole:
            return np.full(len(evidence), self.batches[2], np.float32)
        return largest(self.score(evidence.signals, evidence.index.numpy(), rng), self.fraction)

    def _judge(self, evidence: Evidence) -> None:
        """Decide on a whole batch: by its place among the last ones, and by how many are owed."""
        now = evidence.signals
        norm = np.add.reduce(now.norm) / len(now) if "norm" in self.wants else 0.0
        means = np.array([[np.add.reduce(now.loss) / len(now), norm]], np.float32)
        self.window = np.concatenate([self.window, means])[-WINDOW:]
        pool = Signals(self.window[:, 0], self.window[:, 1], likelihood=now.likelihood)
        self.take(pool)
        seen, kept = int(self.batches[0]) + 1, int(self.batches[1])
        rng = stream(seen, "whole-batch") if self.chance else cast(np.random.Generator, None)
        score = self.score(pool, np.zeros(len(pool), np.int64), rng)
        above = np.count_nonzero(score[:-1] < score[-1]) / (len(score) - 1) if len(score) > 1 else 1.0
        share = self.fraction + CORRECTION * (self.fraction * seen - kept)
        worth = share > 0 and above >= 1 - share
        self.batches = np.array([seen, kept + worth, worth], np.int64)

    @override
    def state(self) -> dict[str, Array]:
        return {"window": self.window, "batches": self.batches} if self.whole else {}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        if self.whole:
            self.window, self.batches = state["window"], state["batches"]

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        rest, begun = epochs - warm_up, math.ceil(warm_up)
        if self.fraction == 1:
            return epochs
        if self.whole:
            return warm_up + rest * (LOOK_SHARE * (1 - self.fraction) + self.fraction)
        looked = begun - warm_up + math.ceil((epochs - begun) / self.visits)
        return warm_up + rest * self.fraction + LOOK_SHARE * looked


def _visits(look: str) -> int:
    """Return how many visits one look serves."""
    stale = re.fullmatch(r"stale\((\d+)\)", look)
    if stale and int(stale[1]) >= 2:
        return int(stale[1])
    if look in ("fresh", "whole-batch"):
        return 1
    near = "; the nearest that works is 'stale(2)'" if stale else ""
    raise ValueError(f"look must be 'fresh', 'whole-batch' or 'stale(n)' with n of 2 or more, got {look!r}{near}")
