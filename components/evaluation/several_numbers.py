"""Metrics of several numbers, each in its own unit, and each example's part in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.arrays import Array

#: What the columns of a number's true and predicted values begin with, before its name.
TARGET, PREDICTED = "target.", "predicted."
#: ``target.<name>`` and ``predicted.<name>`` ``(N,)`` float64 of each number, and ``loss`` ``(N,)``.
Predicted = Mapping[str, Array]


def in_units(columns: Predicted, scales: Mapping[str, tuple[float, float]]) -> dict[str, Array]:
    """Return a column of true and one of predicted values for each number, in its own unit.

    Args:
        columns: ``target`` and ``predicted`` ``(N, K)``, in standard deviations around the mean, and others.
        scales: mean and deviation of each of the K numbers by name, in their order.
    """
    found = {key: values for key, values in columns.items() if key not in ("target", "predicted")}
    for k, (name, (mean, deviation)) in enumerate(scales.items()):
        # In float64, since float32 resolves labels of 1.7e9 +- 20 only to hundreds.
        for begins, key in ((TARGET, "target"), (PREDICTED, "predicted")):
            found[f"{begins}{name}"] = columns[key][:, k].astype(np.float64) * deviation + mean
    return found


def names_of(columns: Predicted) -> list[str]:
    """Return the names of the numbers that ``columns`` are about; none for another kind of target."""
    return [key.removeprefix(TARGET) for key in columns if key.startswith(TARGET)]


def metrics(columns: Predicted) -> dict[str, float]:
    """Return R2, root mean squared error and mean absolute error: their means over the numbers, then those of each."""
    each = {name: _of_one(columns, name) for name in names_of(columns)}
    means = {key: float(np.mean([values[key] for values in each.values()])) for key in ("r2", "rmse", "mae")}
    return means | {f"{key}.{name}": value for name, values in each.items() for key, value in values.items()}


def _of_one(columns: Predicted, name: str) -> dict[str, float]:
    target, error = columns[f"{TARGET}{name}"], _errors(columns, name)
    squared = float((error**2).mean())
    r2 = 1 - squared / float(target.var())
    return {"r2": r2, "rmse": squared**0.5, "mae": float(np.abs(error).mean())}


def _errors(columns: Predicted, name: str) -> Array:
    return np.asarray(columns[f"{PREDICTED}{name}"] - columns[f"{TARGET}{name}"])


def shares(columns: Predicted) -> Array:
    """Return each example's part ``(N,)`` in the mean R2: minus the mean of squared errors over the targets' variances."""
    parts = [-(_errors(columns, name) ** 2) / columns[f"{TARGET}{name}"].var() for name in names_of(columns)]
    return np.asarray(np.mean(parts, axis=0))
