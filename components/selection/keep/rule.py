"""One rule alone before the backward pass (baselines of AdaSelection, arXiv 2306.10728, section 4)."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from components.arrays import Array
from components.evidence.signals import Signals
from components.selection.keep.keeper import Keeper
from components.selection.keep.rules import RULES, check_rules, required_signals


class ByRule(Keeper):
    """Keep the ``fraction`` with the largest score of one rule."""

    def __init__(self, rule: str, fraction: float, look: str = "fresh") -> None:
        """Set the rule, one of ``RULES``, the fraction kept, in (0, 1], and how examples are seen (``Keeper``)."""
        super().__init__(fraction, look, draws=rule == "uniform")
        check_rules((rule,), look)
        self.rule, self.wants = rule, required_signals((rule,))

    @override
    def score(self, seen: Signals, index: Array, rng: np.random.Generator) -> Array:
        return RULES[self.rule](seen, rng)
