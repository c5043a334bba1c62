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
#: Shares of the examples, of largest gradient first, whose part of the whole gradient is told.
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5)
#: Neighbours of a suspect that are shown.
NEIGHBOURS = 3


@dataclass(frozen=True)
class WrongLabels:
    """Labels that are probably wrong.

    Attributes:
        rate: the estimated share of them.
        rates: ``(C,)`` the same of each label.
        suspects: indices of those that are named, the surest first.
        likely: ``(N,)`` the class that the model takes each example for.
        sure: ``(N,)`` by how much more it believed another class than the label, in the mean over its sights.
    """

    rate: float
    rates: Array
    suspects: Array
    likely: Array
    sure: Array


def wrong_labels(scores: Scores, label: Array) -> WrongLabels:
    """Return the labels ``(N,)`` that the warm-up speaks against, by the rates of each label.

    A suspect that the last sight takes for what its label says has been learnt by heart since, and is not named: nobody can
    tell which class it was taken for.
    """
    sure = noise.surer_half(scores["loss"], scores["margin"])
    rates = noise.rates_by_class(sure, scores["predicted"], label)
    found = noise.suspects(scores["margin_mean"], rates, label)
    found = found[scores["predicted"][found] != label[found]]
    order = found[np.argsort(-scores["margin_mean"][found], kind="stable")]
    rate = noise.rate(scores["loss"], scores["margin"])
    return WrongLabels(rate, rates, order, scores["predicted"], scores["margin_mean"])


def signal(scores: Scores, *, classes: bool) -> Array:
    """Return how large a gradient each example leaves, ``(N,)``; of tokens, which have no norms, what the mean one lacks."""
    norm = scores["gradient_norm"]
    if np.isnan(norm).all() and not classes:
        return np.asarray(1 - np.exp(-scores["loss"]))
    return np.asarray(norm)


@dataclass(frozen=True)
class Concentration:
    """How few examples the gradient comes from.

    Attributes:
        sample_size: Kish's effective sample size over N: 1 where all gradients are alike.
        shares: of the examples with the largest gradients -> their part of the sum.
    """

    sample_size: float
    shares: dict[float, float]


def concentration(size: Array) -> Concentration:
    """Return it of sizes ``(N,)``."""
    ordered = np.cumsum(-np.sort(-size), dtype=np.float64)
    parts = {
        share: float(ordered[max(1, round(share * len(size))) - 1] / ordered[-1]) if ordered[-1] else share for share in SHARES
    }
    return Concentration(effective_sample_size(size), parts)


@dataclass(frozen=True)
class Pace:
    """When examples were learnt, as shares of them.

    Attributes:
        early: right at the last sight, and in the mean over all: the first one spoke for the label too.
        late: right at the last sight alone.
        forgotten: right before, and wrong at the last sight.
        never: wrong at the last sight, and never known to be right.
    """

    early: float
    late: float
    forgotten: float
    never: float


def pace(scores: Scores, of: Array | None = None) -> Pace:
    """Return when the examples, or those ``of`` ``(N,)`` bool, were learnt; of an empty part all shares are 0."""
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
    """Return for each of the ``suspects`` the examples most like it that have the label it is taken for, the nearest first.

    Args:
        vectors: ``(N, d)`` rows of unit length.
        suspects: indices.
        likely: ``(N,)`` the class that each is taken for.
        trusted: ``(N,)`` bool, whose label the model agrees with.
        label: ``(N,)``.
    """
    found = []
    for row in suspects:
        among = np.flatnonzero(trusted & (label == likely[row]))
        product = vectors[among] @ vectors[row].T if hasattr(vectors, "tocsr") else vectors[among] @ vectors[row]
        like = np.asarray(product.toarray() if hasattr(product, "toarray") else product).ravel()
        found.append(among[np.argsort(-like, kind="stable")[:NEIGHBOURS]].tolist())
    return found
