"""Shift between two sets of examples: the AUC of a linear classifier between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.rng import stream

#: Examples of each set that are used at most, and parts that are told by a classifier of the others.
MOST, PARTS = 4000, 3


@dataclass(frozen=True)
class Shift:
    """How far apart two sets are.

    Attributes:
        auc: the chance that of one example each the classifier tells which is which; 0.5 where they are alike, 1 apart.
        error: its standard error (Hanley and McNeil 1982).
        rows: how many of each set were used.
    """

    auc: float
    error: float
    rows: tuple[int, int]

    @property
    def sure(self) -> bool:
        """Whether the sets differ by more than chance, by two standard errors."""
        return self.auc - 2 * self.error > 0.5


def shift(one: Any, other: Any, seed: int = 0) -> Shift:  # noqa: ANN401 - arrays, or sparse matrices
    """Return how far the rows ``(N, d)`` and ``(M, d)`` are apart, by examples that the classifier was not trained on."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rng = stream(seed, "shift")
    parts = [rows[np.sort(rng.permutation(rows.shape[0])[:MOST])] for rows in (one, other)]
    joined = sparse.vstack(parts).tocsr() if sparse.issparse(parts[0]) else np.concatenate(parts)
    target = np.repeat([0, 1], [part.shape[0] for part in parts])
    folds = StratifiedKFold(PARTS, shuffle=True, random_state=0)
    model = LogisticRegression(class_weight="balanced", max_iter=300)
    scores = cross_val_predict(model, joined, target, cv=folds, method="decision_function")
    auc = float(roc_auc_score(target, scores))
    m, n = (part.shape[0] for part in parts)
    return Shift(auc, _error(auc, m, n), (m, n))


def _error(auc: float, m: int, n: int) -> float:
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return float((max(0.0, auc * (1 - auc) + (m - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / (m * n)) ** 0.5)
