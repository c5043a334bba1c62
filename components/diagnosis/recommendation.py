"""Recommendation of a method and budget from a diagnosis, or of none.

The bounds are those of docs/how-to/choose.md, which has the studies that they come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Effective sample size up to which a draw by importance has paid.
FEW_MATTER = 0.35
#: Examples of training under which a short run comes as near as anything, whatever is selected.
ENOUGH = 10_000
#: Epochs of which the first can show the others what matters.
LEAST_EPOCHS = 3
#: Estimated share of wrong labels from which on they are worth leaving out.
NOISY = 0.1
#: Rows of the largest class over those of the smallest, from which on classes are worth a budget of their own.
UNEVEN = 5.0
#: AUC from which on the pool is of another kind than the target set.
APART = 0.75


@dataclass(frozen=True)
class Facts:
    """What the recommendation is made of; None where it is not known, or there is no such thing.

    Attributes:
        examples: of training.
        epochs: of ``full``.
        sample_size: effective, over the examples.
        wrong_labels: their estimated share.
        imbalance: rows of the largest class over those of the smallest.
        by_class: whether models are judged by class.
        apart: how far the pool is from the target set, as an AUC; None without a target set.
    """

    examples: int
    epochs: int
    sample_size: float | None = None
    wrong_labels: float | None = None
    imbalance: float | None = None
    by_class: bool = False
    apart: float | None = None


@dataclass(frozen=True)
class Recommendation:
    """What to run.

    Attributes:
        method: of components/selection; None where the short schedule does as well.
        settings: its arguments.
        warm_up: the settings of the warm-up that it needs; None for one of no epochs.
        why: a sentence.
        cost: what it costs over ``full``; what may be saved at most is 1 less that.
    """

    method: str | None
    why: str
    settings: dict[str, Any] = field(default_factory=dict)
    warm_up: dict[str, Any] | None = None
    cost: float | None = None


def recommend(facts: Facts) -> Recommendation:
    """Return the first of these that fits: a target set, classes to be balanced, few examples that matter, none."""
    if facts.apart is not None and facts.apart >= APART:
        why = f"The pool is of another kind than the target set (AUC {facts.apart:.2f}): what is near to it teaches more."
        return Recommendation("target", why, {"fraction": 0.3}, {"epochs": 0, "nearness": "ngrams"}, 0.3)
    if facts.by_class and facts.imbalance is not None and facts.imbalance >= UNEVEN:
        why = f"Models are judged by class, and the largest class has {facts.imbalance:,.0f} times the rows of the smallest."
        return _by_class(facts, why)
    if facts.sample_size is None:
        return Recommendation(None, "Nothing was trained, so that it is not known from how few examples the gradient comes.")
    return _by_importance(facts, facts.sample_size)


def _by_class(facts: Facts, why: str) -> Recommendation:
    """Return importance sampling with class weights where few examples matter, else a draw that is balanced by class."""
    size = facts.sample_size
    if size is None or size > FEW_MATTER or facts.epochs < LEAST_EPOCHS:
        return Recommendation("balanced", why, {"fraction": 0.5, "budget": "equal", "rare": "keep"}, cost=0.5)
    why += f" The gradient comes from few: its effective sample size is {size:.2f} of the examples after the warm-up."
    return Recommendation("importance", why, {"budget": 0.5, "class_weights": "square-root"}, cost=0.5)


def _by_importance(facts: Facts, size: float) -> Recommendation:
    noisy = facts.wrong_labels is not None and facts.wrong_labels >= NOISY
    if facts.epochs < LEAST_EPOCHS:
        return Recommendation(None, f"{facts.epochs} epochs are too few for what the first one shows to be of use.")
    if size > FEW_MATTER and not noisy:
        why = f"The gradient comes from many: its effective sample size is {size:.2f} of the examples after the warm-up."
        return Recommendation(None, f"{why} There is little variance to save.")
    if facts.examples < ENOUGH and not noisy:
        why = f"{facts.examples:,} examples are few: a short run with a tuned learning rate comes as near as anything."
        return Recommendation(None, why)
    budget = max(0.35, round((1 + 0.1 * (facts.epochs - 1)) / facts.epochs, 2)) if facts.epochs >= 8 else 0.5
    why = f"The gradient comes from few: its effective sample size is {size:.2f} of the examples after the warm-up."
    if noisy:
        why = f"About {facts.wrong_labels:.0%} of the labels are wrong, and the noise guard leaves most of these out."
    return Recommendation("importance", why, {"budget": budget}, cost=budget)
