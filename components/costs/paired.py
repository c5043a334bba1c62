"""Gain of one method over another, paired by seed, with interval and p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

#: Confidence level of the interval around a mean gain.
CONFIDENCE = 0.95
#: Seeds below which no method is called better: with two, the t quantile is 12.7.
LEAST_SEEDS = 3
#: Gains that differ by at most this share of the values are equal up to rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Gain:
    """The gain of one method over another, paired by seed, positive where the first is better.

    Attributes:
        mean: over the pairs; None without pairs.
        deviation: standard deviation of the gains, over n - 1; None below two pairs.
        low: lower end of the interval of ``CONFIDENCE`` around the mean; None below two pairs, and if all gains are equal,
            since their variance is then unknown.
        high: upper end.
        p: two-sided p-value of Student's paired t-test; None without an interval.
        pairs: number of pairs.
    """

    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    p: float | None
    pairs: int

    @property
    def sure(self) -> bool | None:
        """Whether the mean is above 0 and its interval excludes 0; None below ``LEAST_SEEDS`` pairs."""
        if self.pairs < LEAST_SEEDS:
            return None
        return self.low is not None and self.low > 0


def paired(values: Sequence[float], others: Sequence[float], *, higher: bool) -> Gain:
    """Return the gain of ``values`` over ``others`` ``(n,)``, paired by seed; ``higher``: higher is better."""
    gains = [(v - o if higher else o - v) for v, o in zip(values, others, strict=True)]
    if not gains:
        return Gain(None, None, None, None, None, 0)
    mean, deviation = fmean(gains), stdev(gains) if len(gains) > 1 else None
    if not deviation or deviation <= ROUNDING * max(map(abs, (*values, *others))):
        return Gain(mean, deviation, None, None, None, len(gains))
    # Imported here, since it takes half a second.
    from scipy.stats import ttest_1samp

    test = ttest_1samp(gains, 0.0)
    low, high = test.confidence_interval(CONFIDENCE)
    return Gain(mean, deviation, float(low), float(high), float(test.pvalue), len(gains))
