"""Measures of a score table: wrong labels, classes not learnt, effective sample size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.arrays import Array
from components.selection.common import noise
from components.selection.common.gradient_sizes import effective_sample_size

#: A score table: columns ``(N,)`` by name.
Scores = Mapping[str, Array]
#: Shares of the examples, those with the largest gradients, whose part of the gradient sum is reported.
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5)
#: Neighbours shown per suspect.
NEIGHBOURS = 3


@dataclass(frozen=True)
class WrongLabels:
    """Labels that are probably wrong.

    Attributes:
        rate: their estimated share.
        rates: ``(C,)`` the same for each label.
        suspects: indices of the reported examples, the surest first.
        likely: ``(N,)`` the class that the model predicts.
        sure: ``(N,)`` mean over forward passes of another class's probability minus the label's.
    """

    rate: float
    rates: Array
    suspects: Array
    likely: Array
    sure: Array


def wrong_labels(scores: Scores, label: Array) -> WrongLabels:
    """Return the labels ``(N,)`` that are probably wrong, from the warm-up's scores and each label's rate.

    An example that the last forward pass predicts as labelled is left out: the model has memorised it, and its true class
    is unknown.
    """
    sure = noise.surer_half(scores["loss"], scores["margin"])
    rates = noise.rates_by_class(sure, scores["predicted"], label)
    found = noise.suspects(scores["margin_mean"], rates, label)
    found = found[scores["predicted"][found] != label[found]]
    order = found[np.argsort(-scores["margin_mean"][found], kind="stable")]
    rate = noise.rate(scores["loss"], scores["margin"])
    return WrongLabels(rate, rates, order, scores["predicted"], scores["margin_mean"])


def signal(scores: Scores, *, classes: bool) -> Array:
    """Return each example's gradient norm ``(N,)``; for tokens, which have none, one minus the mean token's probability."""
    norm = scores["gradient_norm"]
    if np.isnan(norm).all() and not classes:
        return np.asarray(1 - np.exp(-scores["loss"]))
    return np.asarray(norm)


@dataclass(frozen=True)
class Concentration:
    """Concentration of the gradient on few examples.

    Attributes:
        sample_size: Kish's effective sample size over N: 1 if all gradients have the same norm.
        shares: share of the examples, by largest gradient -> their share of the sum.
    """

    sample_size: float
    shares: dict[float, float]


def concentration(size: Array) -> Concentration:
    """Return the concentration of gradient norms ``(N,)``."""
    ordered = np.cumsum(-np.sort(-size), dtype=np.float64)
    parts = {
        share: float(ordered[max(1, round(share * len(size))) - 1] / ordered[-1]) if ordered[-1] else share for share in SHARES
    }
    return Concentration(effective_sample_size(size), parts)


@dataclass(frozen=True)
class Pace:
    """Shares of examples by when they were learnt.

    Attributes:
        early: correct in the last forward pass and on average.
        late: correct in the last forward pass only.
        forgotten: correct before, wrong in the last forward pass.
        never: wrong in the last forward pass, and never seen correct.
    """

    early: float
    late: float
    forgotten: float
    never: float


def pace(scores: Scores, of: Array | None = None) -> Pace:
    """Return the pace of all examples, or of those in ``of`` ``(N,)`` bool.

    All shares of an empty set are 0.
    """
    at = np.ones(len(scores["correct"]), bool) if of is None else of
    if not at.any():
        return Pace(0.0, 0.0, 0.0, 0.0)
    right, gone = scores["correct"][at].astype(bool), scores["forgotten"][at] > 0
    early = right & (scores["margin_mean"][at] < 0) & ~gone
    shares = (early, right & ~early, ~right & gone, ~right & ~gone)
    return Pace(*(float(s.mean()) for s in shares))


def paces(scores: Scores, label: Array, classes: int) -> list[Pace]:
    """Return the pace of each class."""
    return [pace(scores, label == c) for c in range(classes)]


def agreeing(vectors: Any, suspects: Sequence[int], likely: Array, trusted: Array, label: Array) -> list[list[int]]:  # noqa: ANN401 - an array, or a sparse matrix
    """Return each suspect's nearest examples among those labelled as it is predicted.

    Args:
        vectors: ``(N, d)`` rows of unit length.
        suspects: indices.
        likely: ``(N,)`` predicted classes.
        trusted: ``(N,)`` bool, whether the model agrees with the label.
        label: ``(N,)``.
    """
    found = []
    for row in suspects:
        among = np.flatnonzero(trusted & (label == likely[row]))
        product = vectors[among] @ vectors[row].T if hasattr(vectors, "tocsr") else vectors[among] @ vectors[row]
        like = np.asarray(product.toarray() if hasattr(product, "toarray") else product).ravel()
        found.append(among[np.argsort(-like, kind="stable")[:NEIGHBOURS]].tolist())
    return found
