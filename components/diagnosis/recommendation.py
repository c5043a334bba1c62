"""Recommendation of a method and budget, or of none, from a diagnosis.

The bounds are those of docs/how-to/choose.md, which has the studies that they come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Effective sample size, over the examples, up to which importance sampling has paid.
FEW_MATTER = 0.35
#: Training examples below which a tuned short run scores as well as any method.
ENOUGH = 10_000
#: Epochs below which the first one tells too late which examples matter.
LEAST_EPOCHS = 3
#: Estimated share of wrong labels from which on leaving them out pays.
NOISY = 0.1
#: Rows of the largest class over those of the smallest, from which on a budget per class pays.
UNEVEN = 5.0
#: AUC from which on pool and target set count as different.
APART = 0.75


@dataclass(frozen=True)
class Facts:
    """Figures that the recommendation is based on; None if unknown or not applicable.

    Attributes:
        examples: number of training examples.
        epochs: epochs of ``full``.
        sample_size: effective sample size, over the examples.
        wrong_labels: estimated share of wrong labels.
        imbalance: rows of the largest class over those of the smallest.
        by_class: whether the metric is averaged over classes.
        apart: AUC between pool and target set; None without a target set.
        weighed: whether training weighs classes, so that no method may.
    """

    examples: int
    epochs: int
    sample_size: float | None = None
    wrong_labels: float | None = None
    imbalance: float | None = None
    by_class: bool = False
    apart: float | None = None
    weighed: bool = False


@dataclass(frozen=True)
class Recommendation:
    """Recommended method and settings.

    Attributes:
        method: its name in components/selection; None if the short schedule does as well.
        settings: its arguments.
        warm_up: settings of its warm-up; None for one of no epochs.
        why: the reason, one sentence.
        cost: cost over that of ``full``; at most 1 minus this is saved.
    """

    method: str | None
    why: str
    settings: dict[str, Any] = field(default_factory=dict)
    warm_up: dict[str, Any] | None = None
    cost: float | None = None


def recommend(facts: Facts) -> Recommendation:
    """Return the first of these that fits: target set, class balancing, importance sampling, no method."""
    if facts.apart is not None and facts.apart >= APART:
        why = f"The pool differs from the target set (AUC {facts.apart:.2f}): examples near the target set teach more."
        return Recommendation("target", why, {"fraction": 0.3}, {"epochs": 0, "nearness": "ngrams"}, 0.3)
    if facts.by_class and facts.imbalance is not None and facts.imbalance >= UNEVEN:
        why = f"Models are judged by class, and the largest class has {facts.imbalance:,.0f} times the rows of the smallest."
        return _by_class(facts, why)
    if facts.sample_size is None:
        return Recommendation(None, "No model was trained, so the effective sample size of the gradients is unknown.")
    return _by_importance(facts, facts.sample_size)


def _by_class(facts: Facts, why: str) -> Recommendation:
    """Return importance sampling with class weights if few examples matter, else class-balanced draws."""
    size = facts.sample_size
    if size is None or size > FEW_MATTER or facts.epochs < LEAST_EPOCHS:
        return Recommendation("balanced", why, {"fraction": 0.5, "budget": "equal", "rare": "keep"}, cost=0.5)
    why += f" Few examples make up the gradient: after the warm-up its effective sample size is {size:.2f} of the examples."
    weights = {} if facts.weighed else {"class_weights": "square-root"}
    return Recommendation("importance", why, {"budget": 0.5, **weights}, cost=0.5)


def _by_importance(facts: Facts, size: float) -> Recommendation:
    noisy = facts.wrong_labels is not None and facts.wrong_labels >= NOISY
    if facts.epochs < LEAST_EPOCHS:
        return Recommendation(None, f"{facts.epochs} epochs are too few to use what the first one shows.")
    if size > FEW_MATTER and not noisy:
        why = f"Many examples make up the gradient: after the warm-up its effective sample size is {size:.2f} of the examples."
        return Recommendation(None, f"{why} Importance sampling has little variance to reduce.")
    if facts.examples < ENOUGH and not noisy:
        why = f"{facts.examples:,} examples are few: a short run with a tuned learning rate scores as well as any method."
        return Recommendation(None, why)
    budget = max(0.35, round((1 + 0.1 * (facts.epochs - 1)) / facts.epochs, 2)) if facts.epochs >= 8 else 0.5
    why = f"Few examples make up the gradient: after the warm-up its effective sample size is {size:.2f} of the examples."
    if noisy:
        why = f"About {facts.wrong_labels:.0%} of the labels are wrong, and the noise guard leaves most of these out."
    return Recommendation("importance", why, {"budget": budget}, cost=budget)
