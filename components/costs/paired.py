"""Gain of one method over another, paired by seed, with interval and p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

#: Of the interval around a mean gain.
CONFIDENCE = 0.95
#: Seeds under which nothing is said of which is better: of two, the interval's quantile is 12.7 standard errors.
LEAST_SEEDS = 3
#: Gains that differ by no more than this share of the values are equal, and differ by rounding alone.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Gain:
    """The gain of one method over another, paired by seed, positive where the first is better.

    Attributes:
        mean: over the pairs; None without any.
        deviation: of the gains, over n - 1; None under two pairs.
        low: of the interval of ``CONFIDENCE`` around the mean; None under two pairs, and where all gains are equal: what
            does not vary at all says nothing of how it might have.
        high: its other end.
        p: of Student's paired t-test, two-sided; None where there is no interval.
        pairs: how many.
    """

    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    p: float | None
    pairs: int

    @property
    def sure(self) -> bool | None:
        """Whether the mean is above 0 and its interval excludes 0; None where there are too few seeds to say."""
        if self.pairs < LEAST_SEEDS:
            return None
        return self.low is not None and self.low > 0


def paired(values: Sequence[float], others: Sequence[float], *, higher: bool) -> Gain:
    """Return the gain of ``values`` over ``others`` ``(n,)``, seed by seed; ``higher``: more is better."""
    gains = [(v - o if higher else o - v) for v, o in zip(values, others, strict=True)]
    if not gains:
        return Gain(None, None, None, None, None, 0)
    mean, deviation = fmean(gains), stdev(gains) if len(gains) > 1 else None
    if not deviation or deviation <= ROUNDING * max(map(abs, (*values, *others))):
        return Gain(mean, deviation, None, None, None, len(gains))
    # Half a second to import.
    from scipy.stats import ttest_1samp

    test = ttest_1samp(gains, 0.0)
    low, high = test.confidence_interval(CONFIDENCE)
    return Gain(mean, deviation, float(low), float(high), float(test.pvalue), len(gains))
