"""Stack of methods: an example passes if every one lets it pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.selector import Batching, Epoch, Look, Selector, Subset

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.evidence.ledger import Ledger
    from components.run_position import Plan
    from components.tasks.batch import Rows
    from components.tasks.examples import Examples


class Stack(Selector):
    """Multiplies the weights of its members, door by door."""

    def __init__(self, members: Sequence[Selector]) -> None:
        """Stack ``members``, of which at most one may guard each door.

        Raises:
            ValueError: if two guard the same door, since neither paper defines their combination.
        """
        self.members = list(members)
        for door in ("draw", "admit", "keep"):
            guards = [type(m).__name__ for m in members if getattr(type(m), door) is not getattr(Selector, door)]
            if len(guards) > 1:
                raise ValueError(f"{' and '.join(guards)} both guard the door '{door}'; stack methods whose doors differ")
        self.chance = any(m.chance for m in members)
        self.pooled = all(m.pooled for m in members)
        self.wants = frozenset[str]().union(*(m.wants for m in members))
        self.sights = max(m.sights for m in members)  # type: ignore[misc]
        self.holdout = any(m.holdout for m in members)  # type: ignore[misc]
        self.proxy = any(m.proxy for m in members)  # type: ignore[misc]
        self.nearness = any(m.nearness for m in members)  # type: ignore[misc]
        self.fake_class = any(m.fake_class for m in members)
        self.classes = any(m.classes for m in members)
        self.by_batch = any(m.by_batch for m in members)
        self.cost_known = all(m.cost_known for m in members)
        self.learning_rate = math.prod(m.learning_rate for m in members)
        self.batch = _smallest([m.batch for m in members])

    @property
    @override
    def admits(self) -> bool:
        return any(m.admits for m in self.members)

    @override
    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        subsets = [m.select(scores, rng) for m in self.members]
        return Subset(reduce(np.multiply, (s.weight for s in subsets)), reduce(np.add, (s.score for s in subsets)))

    @override
    def begin(self, subset: Subset, plan: Plan) -> None:
        for m in self.members:
            m.begin(subset, plan)

    @override
    def check(self, epochs: int, warm_up: float) -> None:
        for m in self.members:
            m.check(epochs, warm_up)

    @override
    def check_classes(self, rows: Mapping[str, int]) -> None:
        for m in self.members:
            m.check_classes(rows)

    @override
    def length(self, epochs: int) -> float:
        return min(m.length(epochs) for m in self.members)

    @override
    def sweeps(self, epoch: Epoch) -> bool:
        return any(m.sweeps(epoch) for m in self.members)

    @override
    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        for m in self.members:
            m.review(epoch, ledger, rng)

    @override
    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        return reduce(np.multiply, (m.draw(epoch, ledger, rng) for m in self.members))

    @override
    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        return reduce(np.multiply, (m.admit(rows, examples, rng) for m in self.members))

    @override
    def look(self, epoch: Epoch) -> Look | None:
        return next((look for m in self.members if (look := m.look(epoch)) is not None), None)

    @override
    def look_size(self, batch_size: int) -> int:
        return max(m.look_size(batch_size) for m in self.members)

    @override
    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        return reduce(np.multiply, (m.keep(evidence, rng) for m in self.members))

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        for m in self.members:
            m.learn(evidence, examples)

    @override
    def facts(self) -> dict[str, float]:
        return {k: v for m in self.members for k, v in m.facts().items()}

    @override
    def events(self) -> list[str]:
        return [event for m in self.members for event in m.events()]

    @override
    def remark(self) -> str | None:
        return "; ".join(remark for m in self.members if (remark := m.remark())) or None

    @override
    def state(self) -> dict[str, Array]:
        return {f"{i}.{k}": v for i, m in enumerate(self.members) for k, v in m.state().items()}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        for i, m in enumerate(self.members):
            own = f"{i}."
            m.restore({k.removeprefix(own): v for k, v in state.items() if k.startswith(own)})

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        begun = math.ceil(warm_up)
        rest = self.length(epochs) - begun
        shares = ((m.planned_cost(epochs, warm_up) - begun) / max(1, m.length(epochs) - begun) for m in self.members)
        return begun + rest * math.prod(shares)


def _smallest(factors: Sequence[Batching]) -> Batching:
    """Return the smallest factor of the batch size; "drawn" if it is among them and no number is below 1."""
    numbers = [f for f in factors if not isinstance(f, str)]
    return "drawn" if len(numbers) < len(factors) and min(numbers, default=1.0) == 1 else min(numbers)
