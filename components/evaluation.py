"""How good a model is on examples it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from components.arrays import Array
from components.batch import Rows
from components.learner import Learner
from components.tasks.examples import Examples


@dataclass(frozen=True)
class Predictions:
    """What a model says of N examples.

    Attributes:
        target: ``(N,)`` the true class.
        predicted: ``(N,)`` the likeliest class.
        confidence: ``(N,)`` float32, the probability of the true class.
        loss: ``(N,)`` float32, in nats.
    """

    target: Array
    predicted: Array
    confidence: Array
    loss: Array


def predict(learner: Learner, examples: Examples, batch_size: int) -> Predictions:
    """Return the predictions for all of ``examples``, in their order; batches go by length."""
    n = len(examples)
    order = np.arange(n) if examples.lengths is None else np.argsort(examples.lengths, kind="stable")
    index = torch.from_numpy(order)
    out = Predictions(examples.target, np.zeros(n, np.int64), np.zeros(n, np.float32), np.zeros(n, np.float32))
    for rows in Rows(index, torch.ones(n)).split(batch_size):
        evidence = learner.look(examples.fetch(rows, learner.device))
        place = evidence.index.numpy()
        out.predicted[place] = evidence.output.argmax(1).cpu().numpy()
        out.loss[place] = evidence.loss.cpu().numpy()
    out.confidence[:] = np.exp(-out.loss)
    return out


def metrics(predictions: Predictions) -> dict[str, float]:
    """Return accuracy and its standard error, macro-averaged F1 over the classes that occur, and mean loss in nats.

    The standard error is that of a share of N independent examples, ``sqrt(a (1 - a) / N)``: what another test split of
    the same size would change, and not what another seed would.
    """
    from sklearn.metrics import accuracy_score, f1_score

    accuracy = float(accuracy_score(predictions.target, predictions.predicted))
    return {
        "accuracy": accuracy,
        "accuracy_standard_error": (accuracy * (1 - accuracy) / len(predictions.target)) ** 0.5,
        "macro_f1": float(f1_score(predictions.target, predictions.predicted, average="macro", zero_division=0)),
        "loss": float(predictions.loss.mean(dtype=np.float64)),
    }
