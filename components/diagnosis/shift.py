"""Shift between two sets of examples: the AUC of a linear classifier between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.rng import stream

#: Examples used of each set at most, and folds of the cross-validation.
MOST, PARTS = 4000, 3


@dataclass(frozen=True)
class Shift:
    """Difference between two sets of examples.

    Attributes:
        auc: probability that the classifier orders one example of each set correctly; 0.5 for equal sets, 1 for separable ones.
        error: standard error of the AUC (Hanley and McNeil 1982).
        rows: examples used of each set.
    """

    auc: float
    error: float
    rows: tuple[int, int]

    @property
    def sure(self) -> bool:
        """Whether the sets differ by more than chance, by two standard errors."""
        return self.auc - 2 * self.error > 0.5


def shift(one: Any, other: Any, seed: int = 0) -> Shift:  # noqa: ANN401 - arrays, or sparse matrices
    """Return the shift between rows ``(N, d)`` and ``(M, d)``, by a cross-validated classifier."""
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
