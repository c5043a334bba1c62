"""Sampling weights: each example's gradient size at its last forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array

if TYPE_CHECKING:
    from components.evidence.ledger import Ledger

SIGNALS = ("gradient-norm", "loss", "uncertainty")
#: Name -> exponent of 1 / (rows of the class) in an example's weight.
CLASS_POWERS = {"none": 0.0, "square-root": 0.5, "balanced": 1.0}


def class_weights(target: Array, power: float) -> Array:
    """Return ``(1 / rows of the example's class) ** power`` over its mean, ``(N,)`` float32."""
    weight = np.bincount(target)[target].astype(np.float64) ** -power
    return np.asarray(weight / weight.mean(), np.float32)


def signal_of(ledger: Ledger, signal: str = "gradient-norm") -> Array:
    """Return the ``signal`` of each example, ``(N,)``; for unseen ones the root mean square of the others.

    The norm is that of ``softmax(z) - y`` for classes and twice the error for numbers. Tokens have no norms without a pass over
    their logits; their signal is 1 minus the mean token's probability. "uncertainty" is 1 minus the largest probability.
    """
    if signal == "loss":
        size = ledger.column("loss").copy()
    elif signal == "uncertainty" or np.isnan(ledger.column("gradient_norm")).all():
        size = 1 - np.exp(-ledger.column("loss"))
        if ledger.target is not None:
            size -= np.maximum(ledger.column("margin"), 0)
    else:
        size = ledger.column("gradient_norm").copy()
    unseen = np.isnan(size)
    if unseen.any():
        size[unseen] = np.sqrt(np.mean(np.square(size[~unseen]), dtype=np.float64))
    return size


def floored(size: Array, floor: float) -> Array:
    """Return sizes ``(N,)`` of mean 1, of which the part ``floor`` is uniform.

    ``size`` is changed in place.
    """
    size *= (1 - floor) / (size.mean(dtype=np.float64) or 1.0)
    size += floor or np.finfo(np.float32).tiny
    return size


def effective_sample_size(size: Array) -> float:
    """Return Kish's effective sample size of sizes ``(N,)``, over N: ``(sum g)^2 / (N sum g^2)``.

    It is 1 for equal sizes.
    """
    squares = float(np.square(size).sum(dtype=np.float64))
    return float(size.sum(dtype=np.float64) ** 2 / (len(size) * squares)) if squares else 1.0


def weighted_draw(p: Array, drawn: Array, correction: float) -> Array:
    """Return the weights ``p ** -correction`` of the ``drawn`` ``(k,)`` examples, over their mean."""
    weight = p[drawn] ** -correction
    return np.asarray(weight / weight.mean(dtype=np.float64))
