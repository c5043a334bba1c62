"""Predictions and metrics of a model on examples outside the training split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from components.arrays import Array
from components.costs.savings import BY_CLASS
from components.engine.learner import Learner
from components.evaluation import label_sets, several_numbers
from components.evaluation.standard_errors import standard_error
from components.evaluation.text_scores import metrics_of_texts
from components.evaluation.transcript_errors import metrics_of_transcripts
from components.evidence.evidence import Evidence
from components.tasks.batch import Rows
from components.tasks.examples import Examples
from components.tasks.sequences import IGNORED

#: Predictions for N examples, columns ``(N,)`` by name; which there are depends on the kind of target.
Columns = dict[str, Array]


def predict(learner: Learner, examples: Examples, batch_size: int, kind: str = "class") -> Columns:
    """Return the predictions for all of ``examples``, in their order; batches are sorted by length.

    Classes: ``target``, ``predicted`` (the likeliest), ``confidence`` (the true class's probability) and ``loss``. Numbers:
    ``target``, ``predicted`` and ``loss``, in standard deviations. Tokens: ``tokens``, the number of predicted ones, and their
    mean ``loss``. Several classes: ``target``, ``predicted`` and ``probability`` ``(N, C)``, and ``loss``. Several numbers:
    ``target`` and ``predicted`` ``(N, K)``, of which ``metrics`` needs the columns of ``several_numbers.in_units``. Sequences:
    ``tokens`` and ``loss`` of a target; ``metrics`` also needs the columns of ``text_scores.compared``. Transcripts: the same,
    and the columns of ``transcript_errors.counted``.
    """
    n = len(examples)
    order = np.arange(n) if examples.lengths is None else np.argsort(examples.lengths, kind="stable")
    batches = Rows(torch.from_numpy(order), torch.ones(n)).split(batch_size)
    parts = [READ[kind](learner.look(learner.fetch(examples, rows))) for rows in batches]
    columns: Columns = {}
    for name in parts[0]:
        read = torch.cat([part[name] for part in parts]).cpu().numpy()
        columns[name] = np.empty_like(read)
        columns[name][order] = read
    return columns


def _of_classes(evidence: Evidence) -> dict[str, Tensor]:
    confidence = torch.exp(-evidence.loss)
    return {
        "target": evidence.target,
        "predicted": evidence.output.argmax(1),
        "confidence": confidence,
        "loss": evidence.loss,
    }


def _of_numbers(evidence: Evidence) -> dict[str, Tensor]:
    return {"target": evidence.target, "predicted": evidence.output.squeeze(1), "loss": evidence.loss}


def _of_several_numbers(evidence: Evidence) -> dict[str, Tensor]:
    return {"target": evidence.target, "predicted": evidence.output, "loss": evidence.loss}


def _of_tokens(evidence: Evidence) -> dict[str, Tensor]:
    tokens = torch.full((len(evidence),), evidence.target.shape[1] - 1, dtype=torch.int64, device=evidence.loss.device)
    return {"tokens": tokens, "loss": evidence.loss}


def _of_label_sets(evidence: Evidence) -> dict[str, Tensor]:
    probability = evidence.output.sigmoid()
    predicted = (probability >= label_sets.THRESHOLD).to(torch.uint8)
    return {"target": evidence.target, "predicted": predicted, "probability": probability, "loss": evidence.loss}


def _of_sequences(evidence: Evidence) -> dict[str, Tensor]:
    return {"tokens": (evidence.target != IGNORED).sum(1), "loss": evidence.loss}


def in_unit(columns: Columns, mean: float, deviation: float) -> Columns:
    """Return predicted numbers in the label's unit, given standard deviations around the mean."""
    # In float64, since float32 resolves labels of 1.7e9 +- 20 only to hundreds.
    return columns | {name: columns[name].astype(np.float64) * deviation + mean for name in ("target", "predicted")}


def metrics(columns: Columns, kind: str = "class") -> dict[str, float]:
    """Return the metrics of predictions by name, the main one of the kind first."""
    return METRICS_OF[kind](columns) | {"loss": float(columns["loss"].mean(dtype=np.float64))}


def _class_metrics(columns: Columns) -> dict[str, float]:
    """Return accuracy, macro F1, mean and least recall of the classes, with standard errors.

    F1 is over the classes in targets or predictions, recall over those in the targets. The standard error covers the choice of
    test examples, not of seeds; for accuracy it is ``sqrt(a (1 - a) / N)``.
    """
    target, predicted = columns["target"], columns["predicted"]
    accuracy = float((target == predicted).mean())
    found = {"accuracy": accuracy, "accuracy_standard_error": (accuracy * (1 - accuracy) / len(target)) ** 0.5}
    for name, value in zip(BY_CLASS, (_macro_f1(target, predicted), *_recalls(target, predicted)), strict=True):
        found |= {name: value, f"{name}_standard_error": standard_error(columns, name) if len(target) > 1 else 0.0}
    return found


def _recalls(target: Array, predicted: Array) -> tuple[float, float]:
    """Return the mean and the least recall of the classes."""
    rows = np.bincount(target)
    recall = np.bincount(target[target == predicted], minlength=len(rows))[rows > 0] / rows[rows > 0]
    return float(recall.mean()), float(recall.min())


def _macro_f1(target: Array, predicted: Array) -> float:
    """Return the mean over classes of ``2 hits / (targets of the class + predictions of the class)``.

    As scikit-learn's, which takes longer to import than this to compute: each evaluation is a process of its own.
    """
    classes, found = np.unique([target, predicted], return_inverse=True)
    wanted, guessed = (np.bincount(row, minlength=len(classes)) for row in found.reshape(2, -1))
    hits = np.bincount(found.reshape(2, -1)[0][target == predicted], minlength=len(classes))
    return float((2 * hits / (wanted + guessed)).mean())


def _number_metrics(columns: Columns) -> dict[str, float]:
    """Return R2, the explained share of the variance, and the root mean squared error."""
    from sklearn.metrics import r2_score, root_mean_squared_error

    target, predicted = (columns[name].astype(np.float64) for name in ("target", "predicted"))
    return {"r2": float(r2_score(target, predicted)), "rmse": float(root_mean_squared_error(target, predicted))}


def _token_metrics(columns: Columns) -> dict[str, float]:
    """Return the perplexity: ``exp`` of the mean loss over all tokens."""
    return {"perplexity": float(np.exp(np.average(columns["loss"].astype(np.float64), weights=columns["tokens"])))}


#: Kind of target -> columns from the evidence of a look.
READ: dict[str, Callable[[Evidence], dict[str, Tensor]]] = {
    "class": _of_classes,
    "classes": _of_label_sets,
    "number": _of_numbers,
    "numbers": _of_several_numbers,
    "tokens": _of_tokens,
    "sequence": _of_sequences,
    "transcript": _of_sequences,
}
METRICS_OF: dict[str, Callable[[Columns], dict[str, float]]] = {
    "class": _class_metrics,
    "classes": label_sets.metrics,
    "number": _number_metrics,
    "numbers": several_numbers.metrics,
    "tokens": _token_metrics,
    "sequence": metrics_of_texts,
    "transcript": metrics_of_transcripts,
}
