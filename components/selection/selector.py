"""Base class of methods: the three doors between an example and its gradient, open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from components.arrays import Array
from components.costs.savings import LOOK_SHARE

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.evidence.ledger import Ledger
    from components.run_position import Plan
    from components.tasks.batch import Rows
    from components.tasks.examples import Examples


#: How door 3 comes to know an example: by a gradient-free look; by what its last sight showed; or, for a whole batch at once,
#: by the training pass itself, whose graph is then used or dropped.
Look = Literal["fresh", "recalled", "whole-batch"]
#: A factor of the task's batch size; "drawn" is the square root of the share of the examples that an epoch draws.
Batching = float | Literal["drawn"]


@dataclass(frozen=True)
class Subset:
    """What a method starts from.

    Attributes:
        weight: ``(N,)`` float32, 0 where an example is left out.
        score: ``(N,)`` float32, higher = keep.
    """

    weight: Array
    score: Array

    @staticmethod
    def everything(examples: int) -> Subset:
        """Return all of N examples, none before another."""
        return Subset(np.ones(examples, np.float32), np.zeros(examples, np.float32))


@dataclass(frozen=True)
class Epoch:
    """Where a run stands when a method is asked: ``index`` of ``total`` epochs, ``first`` the one after the warm-up."""

    index: int
    total: float
    first: int = 0


class Selector:
    """Every door open: training on all the data, and the base of every method.

    A method overrides only the doors it guards. A door answers with weights: 0 turns an example away, w > 0 lets it
    pass and multiplies its loss by w; ``admit`` and ``keep`` may say true and false for 1 and 0. Deciding changes nothing; only
    ``review`` and ``learn`` do.

    ======== ========================= =====================================
    door     stands before             an example turned away there has cost
    ======== ========================= =====================================
    draw     loading, once an epoch    nothing
    admit    the forward pass          its cheap features
    keep     the backward pass         its loading and one forward pass
    ======== ========================= =====================================
    """

    wants: frozenset[str] = frozenset()  #: what evidence must hold: "norm", "input_norm"
    chance: bool = (
        True  #: whether ``admit`` and ``keep`` draw random numbers; generators, which take time to make, are for them
    )
    pooled: bool = True  #: whether ``keep`` chooses among many; else it judges a look at a time, by the model of now
    sights: ClassVar[int] = 0  #: how often the warm-up must have seen every example
    holdout: ClassVar[bool] = False  #: whether the warm-up must be one that trains on a holdout
    proxy: ClassVar[bool] = False  #: whether the warm-up must be one that trains a proxy
    nearness: ClassVar[bool] = False  #: whether the warm-up must be one that tells how near examples are to a target set
    fake_class: bool = False  #: whether the warm-up must be one that trains on a fake class
    classes: bool = False  #: whether targets must be classes
    cost_known: bool = True  #: whether ``planned_cost`` is what the run will cost; False where the losses decide
    learning_rate: float = 1.0  #: factor of the task's learning rate
    batch: Batching = 1.0  #: of the task's batch size

    @property
    def admits(self) -> bool:
        """Whether ``admit`` guards its door now."""
        return False

    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        """Return what training starts from, given the warm-up's score table: columns ``(N,)`` by name."""
        return Subset.everything(len(scores["id"]))

    def begin(self, subset: Subset, plan: Plan) -> None:
        """Take over what ``select`` returned, in the process that trains.

        Raises:
            ValueError: for settings that the size of the data does not allow.
        """

    def check(self, epochs: int, warm_up: float) -> None:
        """Refuse what cannot be in a run of so many ``epochs``, the first of them a ``warm_up``.

        Raises:
            ValueError: naming the argument, its bound and the nearest value that works.
        """

    def check_classes(self, rows: Mapping[str, int]) -> None:
        """Refuse training data with so many ``rows`` of each class, by name.

        Raises:
            ValueError: naming the argument and the first class.
        """

    def length(self, epochs: int) -> float:
        """Return for how many epochs this method trains where others train for ``epochs``."""
        return epochs

    def sweeps(self, epoch: Epoch) -> bool:
        """Return whether every example must be looked at before this epoch."""
        return False

    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        """Take in what all epochs before this one showed; called once, before ``draw``."""

    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        """Door 1: return the weights ``(N,)`` of this epoch's examples."""
        return np.ones(len(ledger), np.float32)

    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        """Door 2: return the weights ``(M,)`` of the rows worth a forward pass, from what is known without fetching."""
        return np.ones(len(rows), np.float32)

    def look(self, epoch: Epoch) -> Look | None:
        """Return how ``keep`` wants to come to know the examples of ``epoch``; None where it lets all pass."""
        return None

    def look_size(self, batch_size: int) -> int:
        """Return how many examples ``keep`` should choose among at once, where training is in batches of ``batch_size``."""
        return batch_size

    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        """Door 3: return the weights ``(B,)`` of the examples worth a backward pass; asked after ``learn``."""
        return np.ones(len(evidence), np.float32)

    def learn(self, evidence: Evidence, examples: Examples) -> None:
        """Update the method from new evidence: before ``keep``, or after each step if it takes no looks."""

    def batch_of(self, batch_size: int, share: float) -> int:
        """Return how many examples a step takes in an epoch that draws ``share`` of all; the task's has ``batch_size``."""
        return max(1, round(batch_size * (share**0.5 if self.batch == "drawn" else self.batch)))

    def facts(self) -> dict[str, float]:
        """Return what is worth following over a run, by name."""
        return {}

    def events(self) -> list[str]:
        """Return what has happened since the last call, a sentence each."""
        return []

    def remark(self) -> str | None:
        """Return what a reader should know of an epoch that has ended, in a sentence."""
        return None

    def state(self) -> dict[str, Array]:
        """Return what ``review`` and ``learn`` have gathered, to be saved."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what ``state`` gave."""

    @classmethod
    def at_cost(cls, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
        """Return the arguments with which this method, as a control, costs ``cost`` epochs over everything.

        Raises:
            ValueError: for a method that is no control.
        """
        raise ValueError("only 'uniform' and 'short' can take the cost of another method")

    def planned_cost(self, epochs: int, warm_up: float) -> float:
        """Return what the run will cost before it is run, in epochs over everything; data may make it less."""
        return self.length(epochs)


def epochs_spent(looked: int, trained: int, examples: int) -> float:
    """Return what a run cost, in epochs over all ``examples``: ``(trained + LOOK_SHARE * looked) / N``.

    It is made of counts alone, so that it is the same on every machine; ``planned_cost`` counts in the same unit.
    """
    return (trained + LOOK_SHARE * looked) / examples


def check_fraction(name: str, value: float) -> float:
    """Return ``value`` if it is a fraction in (0, 1], else raise ValueError."""
    if not 0 < value <= 1:
        nearest = 1.0 if value > 1 else 0.01
        raise ValueError(f"{name} must be in (0, 1], got {value!r}; the nearest that works is {nearest}")
    return value


def check_at_least(name: str, value: float, bound: float) -> float:
    """Return ``value`` if it is ``bound`` or more, else raise ValueError."""
    if not value >= bound:
        raise ValueError(f"{name} must be at least {bound}, got {value!r}; the nearest that works is {bound}")
    return value


def check_finite(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number, else raise ValueError."""
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}; one that works: 0.5")
    return value


def check_choice(name: str, value: str, known: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``known``, else raise ValueError."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value
