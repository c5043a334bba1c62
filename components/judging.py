"""How much of a difference between two models may be due to the examples that judge: both are judged by the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.arrays import Array


def paired_error(mine: Sequence[Mapping[str, Array]], others: Sequence[Mapping[str, Array]], kind: str) -> float:
    """Return the standard error, over the examples, of the difference of a metric that is averaged over the same seeds.

    Args:
        mine: predictions of a seed each, columns ``(N,)`` as ``evaluation.predict`` returns them.
        others: of the other model, on the same examples in the same order.
        kind: of the target: "class", "number" or "tokens".
    """
    differences = np.mean([shares(m, kind) - shares(o, kind) for m, o in zip(mine, others, strict=True)], axis=0)
    return float(differences.std(ddof=1) / len(differences) ** 0.5)


def shares(columns: Mapping[str, Array], kind: str) -> Array:
    """Return each example's part ``(N,)`` in the metric: means of these differ as the metric does, to first order.

    Accuracy is the mean of hits; R2 is 1 less the mean of squared errors over the variance of the targets; perplexity, the
    exponential of the mean loss, changes by itself times the change of that mean.
    """
    part: Array
    if kind == "class":
        part = (columns["target"] == columns["predicted"]).astype(np.float64)
    elif kind == "number":
        target = columns["target"].astype(np.float64)
        part = -((columns["predicted"] - target) ** 2) / target.var()
    else:
        loss = columns["loss"].astype(np.float64)
        part = np.exp(loss.mean()) * loss
    return part
