"""Base class of methods that keep a fraction of each look."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.costs.savings import LOOK_SHARE
from components.evidence.signals import Signals
from components.rng import stream
from components.selection.keep.recent_batches import WINDOW, Window
from components.selection.keep.rules import largest
from components.selection.selector import Epoch, Look, Selector, check_fraction

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.tasks.examples import Examples

#: Change of the passing share per batch that is owed: losses drift, and by older ones alone too many or too few would pass.
#: The number kept is never further than ``1 / CORRECTION`` batches from the fraction.
CORRECTION = 0.25
#: Index of whole batches, which have none.
NOWHERE = np.zeros(WINDOW, np.int64)


class Keeper(Selector):
    """Keep the ``fraction`` with the largest score out of each look; a method adds ``score``.

    ``look`` is one of

    * ``fresh``: a forward pass without gradients over every example, then a step on those kept;
    * ``stale(n)``: a fresh look every n-th epoch, in between the signals of each example's last forward pass;
    * ``whole-batch``: a training batch is kept or skipped as a whole, by the training pass itself, whose graph is then used;
      its mean loss is scored against those of the last batches, which are rescored every ``every`` batches.
    """

    every = 1  #: batches between two rescorings of whole batches; in between, a batch is ranked by its loss

    def __init__(self, fraction: float, look: str = "fresh", *, draws: bool = True) -> None:
        """Set the fraction, in (0, 1], how examples are seen, and whether ``score`` draws random numbers."""
        self.fraction = check_fraction("fraction", fraction)
        self.visits, self.by_batch = _visits(look), look == "whole-batch"
        self.draws, self.chance = draws, draws and not self.by_batch
        self.window = Window()
        self.places = np.zeros((2, 0))
        self.judged, self.kept, self.worth = 0, 0, False

    @abstractmethod
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        """Return a score for each example ``(B,)``, higher = keep; ``index`` ``(B,)`` are their indices."""

    def take(self, seen: Signals) -> None:
        """Update the method before scoring, from a look or, with ``whole-batch``, the means of the last batches."""

    @override
    def look(self, epoch: Epoch) -> Look | None:
        if self.fraction == 1:
            return None
        if self.by_batch:
            return "whole-batch"
        since = epoch.index - epoch.first
        return "recalled" if since > 0 and since % self.visits else "fresh"

    @override
    def look_size(self, batch_size: int) -> int:
        """Return the size of which one batch is kept; a second one would be chosen by an old model."""
        return max(batch_size, round(batch_size / self.fraction))

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        if self.fraction == 1:
            return
        if self.by_batch:
            self._judge(evidence)
        else:
            self.take(evidence.signals)

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        if self.by_batch:
            return np.full(len(evidence), self.worth)
        return largest(self.score(evidence.signals, evidence.index.numpy(), rng), self.fraction)

    def _judge(self, evidence: Evidence) -> None:
        """Decide on a whole batch, by its rank among the last ones and the kept share."""
        loss = self.window.push(evidence, norm="norm" in self.wants)
        self.judged += 1
        due = self.judged < self.every or self.judged % self.every == 0
        rank = self._compare(evidence.objective.likelihood) if due else np.interp(loss, *self.places)
        share = self.fraction + CORRECTION * (self.fraction * self.judged - self.kept)
        self.worth = bool(share > 0 and rank >= 1 - share)
        self.kept += self.worth

    def _compare(self, likelihood: bool) -> float:
        """Score the last batches, store their ranks, and return the latest one's, in [0, 1]."""
        loss, norm = self.window.means
        pool = Signals(loss, norm, likelihood=likelihood)
        self.take(pool)
        rng = stream(self.judged, "whole-batch") if self.draws else cast(np.random.Generator, None)
        score = self.score(pool, NOWHERE[: len(pool)], rng)
        if len(pool) == 1:
            return 1.0
        if self.every > 1:
            order = np.argsort(loss)
            self.places = np.stack([loss[order], np.searchsorted(np.sort(score), score[order]) / (len(pool) - 1)])
        return np.count_nonzero(score < score[-1]) / (len(pool) - 1)

    @override
    def state(self) -> dict[str, Array]:
        if not self.by_batch:
            return {}
        batches = np.array([self.judged, self.kept, self.worth])
        return {"window": self.window.means.T, "batches": batches, "places": self.places}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        if self.by_batch:
            self.window, self.places = Window(state["window"].T), state["places"]
            judged, kept, worth = state["batches"].tolist()
            self.judged, self.kept, self.worth = judged, kept, bool(worth)

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        rest, begun = epochs - warm_up, math.ceil(warm_up)
        if self.fraction == 1:
            return epochs
        if self.by_batch:
            return warm_up + rest * (LOOK_SHARE * (1 - self.fraction) + self.fraction)
        looked = begun - warm_up + math.ceil((epochs - begun) / self.visits)
        return warm_up + rest * self.fraction + LOOK_SHARE * looked


def _visits(look: str) -> int:
    """Return the number of epochs that one look serves."""
    stale = re.fullmatch(r"stale\((\d+)\)", look)
    if stale and int(stale[1]) >= 2:
        return int(stale[1])
    if look in ("fresh", "whole-batch"):
        return 1
    near = "; the nearest that works is 'stale(2)'" if stale else ""
    raise ValueError(f"look must be 'fresh', 'whole-batch' or 'stale(n)' with n of 2 or more, got {look!r}{near}")
