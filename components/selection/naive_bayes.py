"""A naive Bayes classifier of two classes that learns as it goes, cheap enough to stand before a forward pass."""

from __future__ import annotations

import math

import numpy as np

from components.arrays import Array
from components.tasks.bags import Bag

#: Factors in (0, 1] that are multiplied before a logarithm is taken: even 16 times 1e-18 is no denormal number.
TOGETHER = 16


class NaiveBayes:
    """Bernoulli naive Bayes on the presence of F features, with Laplace smoothing and learnt priors.

    Its counts, and so its probabilities, are those of scikit-learn's ``BernoulliNB(alpha=1)`` after the same calls of
    ``partial_fit``; what is absent from an example tells as much there as what is present.

    Attributes:
        counts: ``(F, 2)``, how many examples of each class had each feature.
        examples: ``(2,)``, how many examples of each class there were.
    """

    def __init__(self, counts: Array, examples: Array) -> None:
        """Go on from ``counts`` and ``examples``, float64, which are changed in place."""
        self.counts, self.examples = counts, examples
        self._bias = self._of_absence()

    @staticmethod
    def new(features: int) -> NaiveBayes:
        """Return one that has seen nothing of so many ``features``."""
        return NaiveBayes(np.zeros((features, 2)), np.zeros(2))

    @property
    def knows_both(self) -> bool:
        """Whether it has seen either class; until then it has no opinion, and its odds are even."""
        return bool(self.examples.all())

    def learn(self, bag: Bag, label: Array) -> None:
        """Count the examples of ``bag``, whose classes are ``label`` ``(M,)`` bool."""
        place = bag.features * 2 + bag.repeated(label)
        np.add.at(self.counts.reshape(-1), place, 1.0)
        self.examples += (len(label) - label.sum(), label.sum())
        self._bias = self._of_absence()

    def log_odds(self, bag: Bag) -> Array:
        """Return ``log p(1 | x) - log p(0 | x)`` of each example, ``(M,)``."""
        if not self.knows_both:
            return np.zeros(len(bag))
        none, one = self.counts[bag.features].T
        total = self.examples
        # theta / (1 - theta) of a feature is (n + 1) / (N + 1 - n): that of one class over that of the other.
        ratio = (one + 1) * (total[0] + 1 - none) / ((none + 1) * (total[1] + 1 - one))
        return self._bias + bag.sums(np.log(ratio))

    def log_loss(self, bag: Bag, label: Array) -> Array:
        """Return ``-log p(label | x)`` of each example, ``(M,)``, in nats."""
        odds = self.log_odds(bag)
        return np.logaddexp(0.0, np.where(label, -odds, odds))

    def _of_absence(self) -> float:
        """Return the log-odds of an example without any feature: of the priors, and of every feature's absence."""
        total = self.examples
        if not self.knows_both:
            return 0.0
        absent = (total + 1 - self.counts) / (total + 2)
        padded = np.ones((math.ceil(len(absent) / TOGETHER) * TOGETHER, 2))
        padded[: len(absent)] = absent
        # A product of some and the logarithm of that takes a tenth of the time that as many logarithms take.
        logs = np.log(padded.reshape(TOGETHER, -1, 2).prod(axis=0)).sum(axis=0) + np.log(total)
        return float(logs[1] - logs[0])
