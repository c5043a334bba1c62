"""Guard of the doors ``admit`` and ``keep``: random choice while a method unlearns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.rng import stream
from components.selection.selector import Selector
from components.selection.stack import Stack

if TYPE_CHECKING:
    from torch import Tensor

    from components.evidence.evidence import Evidence
    from components.run_position import Plan
    from components.selection.selector import Subset
    from components.tasks.batch import Rows
    from components.tasks.examples import Examples

#: Blocks of an epoch's examples, after each of which the mean loss is judged, and the fewest examples of one.
BLOCKS, FEWEST = 8, 64
#: Epochs after which a model must be better than a constant prediction.
GRACE = 0.5
#: Standard errors by which a mean loss must differ.
ERRORS = 2.0
#: Share of the best learnt so far below which a method has unlearnt, and at which it has recovered; and the least it must
#: have learnt by then, in shares of the constant prediction's loss.
UNLEARNT, RECOVERED, LEAST = 0.5, 0.75, 0.05
#: Batches over which the share of whole batches that pass is averaged.
MEMORY = 64


class Guarded(Stack):
    """Methods at the doors ``admit`` and ``keep``, replaced by random choice while they unlearn.

    What is judged is the mean loss ``m`` of examples that are seen anyway, a block at a time, by ``learnt = 1 - m / b``, with
    ``b`` the loss of the best constant prediction. A method has unlearnt if, half an epoch after it began, ``learnt`` is not
    surely above 0, or at any time surely below half of a best of 0.05 or more. Until it is back at three quarters of its best,
    and surely above 0.05, as many examples as the method would choose are drawn at random.

    Whole batches pass at random as often as they would pass the method of late.

    The rule and its numbers are our own; they are in none of the papers.
    """

    def __init__(self, members: Sequence[Selector]) -> None:
        """Guard a stack of ``members``, of which one or more guard the doors ``admit`` or ``keep``."""
        super().__init__(members)
        self.open, self.constant, self.best = False, math.nan, 0.0
        self.sums = np.zeros(3)
        self.seen, self.share = 0, 1.0
        self._size, self._grace, self._seed = FEWEST, 0, 0
        self._happened: list[str] = []

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        super().begin(subset, plan)
        drawn = np.count_nonzero(subset.weight)
        self._size, self._grace = max(FEWEST, int(drawn) // BLOCKS), round(GRACE * int(drawn))
        self._seed = plan.seed

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        super().learn(evidence, examples)
        if evidence.recalled:
            return
        if self.by_batch:
            passes = super().keep(evidence, stream(self._seed, "guard-learn", self.seen)).any()
            self.share += (float(passes) - self.share) / MEMORY
        if math.isnan(self.constant):
            self.constant = evidence.objective.constant_loss(examples)
        loss = evidence.signals.loss.astype(np.float64)
        self.sums = self.sums + np.array([len(loss), loss.sum(), np.square(loss).sum()])
        self.seen += len(loss)
        if self.sums[0] >= self._size and self.constant > 0:
            self._judge()

    def _judge(self) -> None:
        """Open or close the guard by the mean loss of a block."""
        count, total, squares = self.sums.tolist()
        self.sums = np.zeros(3)
        mean = total / count
        error = ERRORS * math.sqrt(max(0.0, squares / count - mean**2) / count) / self.constant
        learnt = 1 - mean / self.constant
        if self.open:
            closes = learnt - error >= LEAST and learnt >= RECOVERED * self.best
            self._turn(not closes, learnt, mean)
        else:
            at_chance = self.seen >= self._grace and learnt - error <= 0
            unlearnt = self.best >= LEAST and learnt + error < UNLEARNT * self.best
            self._turn(at_chance or unlearnt, learnt, mean)
        self.best = max(self.best, learnt - error)

    def _turn(self, opened: bool, learnt: float, mean: float) -> None:
        if opened != self.open:
            what = "opened to random choice at the same cost" if opened else "closed, and the method chooses again"
            self._happened.append(
                f"guard {what}: the mean loss is {mean:.4g}, a constant prediction's {self.constant:.4g}; "
                f"learnt {max(0.0, learnt):.0%}, at best {self.best:.0%}"
            )
        self.open = opened

    @override
    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        if not self.open:
            return super().admit(rows, examples, rng)
        # What others in their place would be answered has nothing to do with what they are.
        chance = self._chance("admit", rows.index)
        others = rows.index.new_tensor(chance.integers(len(examples), size=len(rows)))
        return super().admit(rows.unweighted(others), examples, rng) > 0

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        if not self.open:
            return super().keep(evidence, rng)
        chance = self._chance("keep", evidence.index)
        if self.by_batch:
            return np.full(len(evidence), chance.random() < self.share)
        return chance.permutation(super().keep(evidence, rng)) > 0

    def _chance(self, door: str, index: Tensor) -> np.random.Generator:
        return stream(self._seed, f"guard-{door}", self.seen, int(index[0]))

    @override
    def events(self) -> list[str]:
        happened, self._happened = self._happened, []
        return super().events() + happened

    @override
    def state(self) -> dict[str, Array]:
        judged = np.array([self.open, self.constant, self.best, self.seen, self.share])
        return super().state() | {"guard": np.concatenate([judged, self.sums])}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        super().restore(state)
        self.open, self.seen = bool(state["guard"][0]), int(state["guard"][3])
        self.constant, self.best = state["guard"][1:3].tolist()
        self.share, self.sums = float(state["guard"][4]), state["guard"][5:].copy()

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        if len(self.members) == 1:
            return self.members[0].planned_cost(epochs, warm_up)
        return super().planned_cost(epochs, warm_up)


def can_unlearn(method: type[Selector]) -> bool:
    """Return whether ``method`` guards the doors ``admit`` or ``keep``, by losses that it changes itself."""
    return method.admit is not Selector.admit or method.keep is not Selector.keep
