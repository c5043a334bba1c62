"""Base class of methods: three open doors between an example and its gradient."""

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


#: How door 3 sees examples: by a gradient-free look; by the signals of their last forward pass; or, for a whole batch at
#: once, by the training pass itself, whose graph is then used or dropped.
Look = Literal["fresh", "recalled", "whole-batch"]
#: Factor of the task's batch size; "drawn" is the square root of the share of examples that an epoch draws.
Batching = float | Literal["drawn"]


@dataclass(frozen=True)
class Subset:
    """The examples that a method starts from.

    Attributes:
        weight: ``(N,)`` float32, 0 for examples that are left out.
        score: ``(N,)`` float32, higher = keep.
    """

    weight: Array
    score: Array

    @staticmethod
    def everything(examples: int) -> Subset:
        """Return all of N examples, with equal scores."""
        return Subset(np.ones(examples, np.float32), np.zeros(examples, np.float32))


@dataclass(frozen=True)
class Epoch:
    """Position of a run at an epoch: ``index`` of ``total`` epochs, ``first`` the one after the warm-up."""

    index: int
    total: float
    first: int = 0


class Selector:
    """Training on all the data, with every door open; the base of every method.

    A method overrides only the doors that it guards. A door returns weights: 0 turns an example away, w > 0 lets it pass and
    multiplies its loss by w; ``admit`` and ``keep`` may return booleans for 1 and 0. The doors change no state; only
    ``review`` and ``learn`` do.

    ======== ========================= =====================================
    door     stands before             an example turned away there has cost
    ======== ========================= =====================================
    draw     loading, once an epoch    nothing
    admit    the forward pass          its cheap features
    keep     the backward pass         its loading and one forward pass
    ======== ========================= =====================================
    """

    wants: frozenset[str] = frozenset()  #: signals that the evidence must have: "norm", "input_norm"
    chance: bool = True  #: whether ``admit`` and ``keep`` draw random numbers; only then are generators made, which takes time
    pooled: bool = True  #: whether ``keep`` may choose among many looks; else each look is judged by the current model
    sights: ClassVar[int] = 0  #: forward passes over every example that the warm-up must have made
    holdout: ClassVar[bool] = False  #: whether the warm-up must train on a holdout
    proxy: ClassVar[bool] = False  #: whether the warm-up must train a proxy
    nearness: ClassVar[bool] = False  #: whether the warm-up must measure nearness to a target set
    fake_class: bool = False  #: whether the warm-up must train on a fake class
    classes: bool = False  #: whether targets must be classes
    by_batch: bool = False  #: whether ``admit`` and ``keep`` turn away whole batches
    cost_known: bool = True  #: whether ``planned_cost`` is exact; False if the losses decide
    learning_rate: float = 1.0  #: factor of the task's learning rate
    batch: Batching = 1.0  #: factor of the task's batch size

    @property
    def admits(self) -> bool:
        """Whether ``admit`` turns examples away now."""
        return False

    def select(self, scores: Mapping[str, Array], rng: np.random.Generator) -> Subset:
        """Return the examples to start from, given the warm-up's score table: columns ``(N,)`` by name."""
        return Subset.everything(len(scores["id"]))

    def begin(self, subset: Subset, plan: Plan) -> None:
        """Receive the result of ``select`` in the training process.

        Raises:
            ValueError: for settings that do not fit the size of the data.
        """

    def check(self, epochs: int, warm_up: float) -> None:
        """Check the settings for a run of ``epochs``, of which the first ``warm_up`` are the warm-up.

        Raises:
            ValueError: names the argument, its bound and the nearest value that works.
        """

    def check_classes(self, rows: Mapping[str, int]) -> None:
        """Check the settings for training data with ``rows`` of each class, by name.

        Raises:
            ValueError: names the argument and the first offending class.
        """

    def length(self, epochs: int) -> float:
        """Return the epochs that this method trains where ``full`` trains ``epochs``."""
        return epochs

    def sweeps(self, epoch: Epoch) -> bool:
        """Return whether every example must be looked at before this epoch."""
        return False

    def review(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> None:
        """Update the method from all earlier epochs; called once, before ``draw``."""

    def draw(self, epoch: Epoch, ledger: Ledger, rng: np.random.Generator) -> Array:
        """Door 1: return the weights ``(N,)`` of this epoch's examples."""
        return np.ones(len(ledger), np.float32)

    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        """Door 2: return the weights ``(M,)`` of rows for the forward pass, from their cheap features."""
        return np.ones(len(rows), np.float32)

    def look(self, epoch: Epoch) -> Look | None:
        """Return how ``keep`` sees the examples of ``epoch``; None if it keeps all."""
        return None

    def look_size(self, batch_size: int) -> int:
        """Return how many examples ``keep`` should choose among at once, for batches of ``batch_size``."""
        return batch_size

    def keep(self, evidence: Evidence, rng: np.random.Generator) -> Array:
        """Door 3: return the weights ``(B,)`` of examples for the backward pass; called after ``learn``."""
        return np.ones(len(evidence), np.float32)

    def learn(self, evidence: Evidence, examples: Examples) -> None:
        """Update the method from new evidence: before ``keep``, or after each step if it takes no looks."""

    def batch_of(self, batch_size: int, share: float) -> int:
        """Return the batch size in an epoch that draws ``share`` of all examples; the task's is ``batch_size``."""
        return max(1, round(batch_size * (share**0.5 if self.batch == "drawn" else self.batch)))

    def facts(self) -> dict[str, float]:
        """Return diagnostics to record over a run, by name."""
        return {}

    def events(self) -> list[str]:
        """Return the events since the last call, one sentence each."""
        return []

    def remark(self) -> str | None:
        """Return a remark on the epoch that has ended, one sentence, or None."""
        return None

    def state(self) -> dict[str, Array]:
        """Return the state that ``review`` and ``learn`` have built up, to be saved."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restore the state from ``state``."""

    @classmethod
    def at_cost(cls, cost: float, epochs: int, warm_up: float) -> dict[str, float]:
        """Return the arguments with which this control costs ``cost``, in epochs of training on everything.

        Raises:
            ValueError: if the method is no control.
        """
        raise ValueError("only 'uniform' and 'short' can take the cost of another method")

    def planned_cost(self, epochs: int, warm_up: float) -> float:
        """Return the planned cost of a run, in epochs of training on everything.

        The real one may be lower.
        """
        return self.length(epochs)


def epochs_spent(looked: int, trained: int, examples: int) -> float:
    """Return the cost of a run in epochs over all ``examples``: ``(trained + LOOK_SHARE * looked) / N``.

    It follows from counts alone, so it is the same on every machine; ``planned_cost`` has the same unit.
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
