"""Incremental naive Bayes classifier of two classes, cheaper than a forward pass."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from components.tasks.cheap_features import Bag

#: Counts below this are handled by a histogram; more frequent features one by one.
COMMON = 1024
#: Logarithms computed at once; a fixed size, so that each value is the same whenever it is computed.
LOGARITHMS = 4096


class NaiveBayes:
    """Bernoulli naive Bayes on the presence of F features, with Laplace smoothing and learnt priors.

    Counts, and so probabilities, equal those of scikit-learn's ``BernoulliNB(alpha=1)`` after the same ``partial_fit`` calls:
    the absence of a feature counts as much as its presence. The absent features' part is computed from a histogram of the
    features' counts, which has few entries.

    Attributes:
        counts: ``(F, 2)`` int64, examples of each class with each feature.
        examples: ``(2,)`` int64, examples of each class.
    """

    def __init__(self, counts: Array, examples: Array) -> None:
        """Continue from ``counts`` and ``examples``, which are changed in place."""
        self.counts, self.examples = counts, examples
        self._spread: Array = np.stack([np.bincount(c[c < COMMON], minlength=COMMON) for c in counts.T]).astype(np.float64)
        self._logs = np.zeros(0)
        self._find_frequent()
        self._bias = self._of_absence()

    @staticmethod
    def new(features: int) -> NaiveBayes:
        """Return an untrained classifier for ``features`` features."""
        return NaiveBayes(np.zeros((features, 2), np.int64), np.zeros(2, np.int64))

    @property
    def knows_both(self) -> bool:
        """Whether both classes were seen; until then the odds are even."""
        return bool(self.examples.all())

    def learn(self, bag: Bag, label: Array) -> None:
        """Add the examples of ``bag`` with classes ``label`` ``(M,)`` bool to the counts."""
        counts, owner = self.counts.reshape(-1), bag.repeated(label)
        entry = bag.features * 2 + owner
        before = counts[entry]
        np.add.at(counts, entry, 1)
        after = counts[entry]
        self.examples += (len(label) - label.sum(), label.sum())
        self._move(owner * COMMON, before, after)
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

    def _move(self, row: Array, before: Array, after: Array) -> None:
        """Move features from one count to another in the histogram.

        One that rose by n is given n times, and moved once.
        """
        spread, share = self._spread.reshape(-1), 1 / (after - before)
        if after.max(initial=0) < COMMON:
            np.add.at(spread, row + before, -share)
            np.add.at(spread, row + after, share)
        else:
            for count, sign in ((before, -1), (after, 1)):
                common = count < COMMON
                np.add.at(spread, (row + count)[common], sign * share[common])
            self._find_frequent()
        np.rint(spread, out=spread)

    def _find_frequent(self) -> None:
        self._frequent = [np.flatnonzero(count >= COMMON) for count in self.counts.T]

    def _of_absence(self) -> float:
        """Return the log-odds of an example without any feature: of the priors and of every feature's absence."""
        if not self.knows_both:
            return 0.0
        while len(self._logs) < self.examples.max() + 3:
            start = len(self._logs)
            more = np.arange(start, start + LOGARITHMS, dtype=np.float64)
            self._logs = np.concatenate([self._logs, np.log(np.maximum(more, 1))])
        return self._absent(1) - self._absent(0)

    def _absent(self, label: int) -> float:
        """Return the logarithm of N times all ``1 - theta = (N + 1 - n) / (N + 2)``."""
        total, logs = int(self.examples[label]), self._logs
        few = min(COMMON, total + 1)
        absent = self._spread[label, :few] @ logs[total + 2 - few : total + 2][::-1]
        absent += logs[total + 1 - self.counts[self._frequent[label], label]].sum()
        return float(absent - len(self.counts) * logs[total + 2] + logs[total])
