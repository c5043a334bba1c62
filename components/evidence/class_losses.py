"""Cross-entropy with class weights and label smoothing, as a step descends it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from components.arrays import Array
from components.evidence.objective import PassSignals
from components.evidence.objectives import Classification

#: Class weights by size -> power of 1 / (rows of the class), as methods have them (``gradient_sizes.CLASS_POWERS``).
POWERS = {"square-root": 0.5, "balanced": 1.0}


@dataclass(frozen=True)
class WeighedClassification(Classification):
    """One class per example: steps descend a weighted, smoothed cross-entropy; all signals are of the plain one.

    Attributes:
        weights: ``(C,)`` float32 of the classes, or None; classes beyond them, such as a fake one, weigh 1.
        smoothing: share of the target that all classes have in equal parts, in [0, 1].
    """

    weights: Tensor | None = None
    smoothing: float = 0.0

    @override
    def see(self, output: Tensor, target: Tensor, *, norm: bool) -> PassSignals:
        seen = super().see(output, target, norm=norm)
        assert seen.log_p is not None
        return replace(seen, descended=self._descended(seen.loss, seen.log_p, target))

    def _descended(self, plain: Tensor, log_p: Tensor, target: Tensor) -> Tensor:
        """Return ``(1 - s) w_y l_y + s / C sum_c w_c l_c`` ``(B,)`` for l = -log p, as ``torch.nn.CrossEntropyLoss`` has it."""
        weights = self._weights_of(log_p)
        loss = plain if weights is None else plain * weights[target]
        if not self.smoothing:
            return loss
        spread = -(log_p.mean(1) if weights is None else (log_p * weights).mean(1))
        return (1 - self.smoothing) * loss + self.smoothing * spread

    def _weights_of(self, log_p: Tensor) -> Tensor | None:
        if self.weights is None:
            return None
        more = log_p.shape[1] - len(self.weights)
        return torch.cat([self.weights, self.weights.new_ones(more)]) if more else self.weights


def weights_by_size(sizes: Array, power: float) -> Array:
    """Return ``sizes ** -power`` over its mean over all examples, ``(C,)`` float32.

    With a power of 1 these are scikit-learn's "balanced" weights, ``N / (C n_c)``. Examples get the same weights from
    ``gradient_sizes.class_weights``.

    Args:
        sizes: ``(C,)`` examples of each class; a class without any weighs 1.
        power: 1 lets all classes weigh the same in total, 0 all examples.
    """
    raw = np.maximum(sizes, 1).astype(np.float64) ** -power
    weights = raw * sizes.sum() / (raw * sizes).sum()
    return np.where(sizes > 0, weights, 1).astype(np.float32)
