"""AutoAssist (Zhang, Yu and Dhillon, NeurIPS 2019, arXiv 1905.03381): a cheap assistant skips learnt examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.selection.selector import Selector, check_fraction

if TYPE_CHECKING:
    from components.evidence.evidence import Evidence
    from components.tasks.batch import Rows
    from components.tasks.cheap_features import Bag
    from components.tasks.examples import Examples

#: Weight of the old mean loss at each batch, and strength of L2 regularisation, in the authors' code.
MEMORY = 0.75
L2 = 1e-3
#: Planned share of examples that pass; the real one depends on the data.
ADMITTED = 0.65


class AutoAssist(Selector):
    """Admit an example to the forward pass with probability ``base + (1 - base) q``.

    The assistant's ``q = sigmoid(W x + U[y])`` is a logistic regression on the example's features and class. It learns by
    SGD, on every trained batch, whether the loss is above its moving mean.
    """

    cost_known = False

    def __init__(self, base: float = 0.3, assistant_rate: float = 0.01) -> None:
        """Create the method.

        Args:
            base: in (0, 1], the lowest probability to pass; the authors' is 0.3.
            assistant_rate: learning rate of the assistant, above 0; the authors' 0.01 was chosen for pixels.
        """
        self.base = check_fraction("base", base)
        if not assistant_rate > 0:
            raise ValueError(f"assistant_rate must be above 0, got {assistant_rate!r}; one that works: 0.01")
        self.assistant_rate = assistant_rate
        self.weight, self.by_class, self.mean = np.zeros(0), np.zeros(0), np.zeros(2)

    @property
    @override
    def admits(self) -> bool:
        return len(self.weight) > 0

    def hard(self, bag: Bag, label: Array) -> Array:
        """Return q, the probability that each example's loss is above the mean, ``(M,)``; ``label`` ``(M,)`` are classes."""
        logit = bag.sums(self.weight[bag.features]) + self.by_class[label]
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logit)))

    @override
    def admit(self, rows: Rows, examples: Examples, rng: np.random.Generator) -> Array:
        index = rows.index.numpy()
        chance = self.base + (1 - self.base) * self.hard(examples.bags.of(index), _classes(index, examples))
        return np.asarray(rng.random(len(rows)) < chance)

    @override
    def learn(self, evidence: Evidence, examples: Examples) -> None:
        index, loss = evidence.index.numpy(), evidence.signals.loss
        if not len(self.weight):
            self.weight = np.zeros(examples.bags.count)
            self.by_class = np.zeros(1 + int(_classes(np.arange(len(examples)), examples).max()))
        self.mean = MEMORY * self.mean + (1 - MEMORY) * np.array([loss.sum(dtype=np.float64), len(loss)])
        bag, label, step = examples.bags.of(index), _classes(index, examples), self.assistant_rate / len(loss)
        error = self.hard(bag, label) - (loss > self.mean[0] / self.mean[1])
        self.weight = (1 - self.assistant_rate * L2) * self.weight
        np.add.at(self.weight, bag.features, -step * bag.repeated(error))
        np.add.at(self.by_class, label, -step * error)

    @override
    def facts(self) -> dict[str, float]:
        return {"mean_loss": float(self.mean[0] / self.mean[1])} if self.mean[1] else {}

    @override
    def state(self) -> dict[str, Array]:
        return {"weight": self.weight, "by_class": self.by_class, "mean": self.mean}

    @override
    def restore(self, state: Mapping[str, Array]) -> None:
        self.weight, self.by_class, self.mean = state["weight"], state["by_class"].copy(), state["mean"]

    @override
    def planned_cost(self, epochs: int, warm_up: float) -> float:
        return warm_up + (epochs - warm_up) * ADMITTED


def _classes(index: Array, examples: Examples) -> Array:
    """Return the class of each example at ``index`` ``(M,)``; 0 if targets are not classes."""
    target = examples.target[index]
    return target if target.dtype.kind == "i" else np.zeros(len(index), np.int64)
