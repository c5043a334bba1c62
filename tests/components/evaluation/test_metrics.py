import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from torch import nn

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.evaluation.metrics import in_unit, metrics, predict
from components.evidence.objectives import OBJECTIVES
from components.tasks.batch import Batch


def one_by_one(model, examples, make_rows):
    """Return the logits of every example, each fetched alone."""
    model.eval()
    with torch.no_grad():
        outputs = [model(**examples.fetch(make_rows([i]), torch.device("cpu")).inputs) for i in range(len(examples))]
    return torch.cat([getattr(o, "logits", o) for o in outputs])


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_predictions_stand_in_the_order_of_the_examples(make_training, make_texts, make_bert, make_rows, kind):
    options = {"examples": make_texts(), "model": make_bert()} if kind == "texts" else {}
    training = make_training(**options)
    learner, examples = training.learner, training.examples
    got = predict(learner, examples, 7)
    logits = one_by_one(learner.model.cpu(), examples, make_rows)
    p = logits.softmax(1).numpy()[np.arange(len(examples)), examples.target]
    assert got["target"].tolist() == examples.target.tolist()
    assert got["predicted"].tolist() == logits.argmax(1).tolist()
    np.testing.assert_allclose(got["confidence"], p, rtol=1e-4)
    np.testing.assert_allclose(got["loss"], -np.log(p), rtol=1e-4, atol=1e-6)


def predictions_of(target, predicted, loss=None):
    loss = np.zeros(len(target), np.float32) if loss is None else np.array(loss, np.float32)
    return {"target": np.array(target), "predicted": np.array(predicted), "confidence": np.exp(-loss), "loss": loss}


def test_metrics_by_hand():
    # Class 0: precision 2/3, recall 1, F1 0.8. Class 1: precision 1, recall 1/2, F1 2/3. Class 2 is never right.
    got = metrics(predictions_of([0, 0, 1, 1, 2], [0, 0, 1, 0, 3], [1, 2, 3, 4, 5]))
    assert got["accuracy"] == pytest.approx(0.6)
    assert got["accuracy_standard_error"] == pytest.approx((0.6 * 0.4 / 5) ** 0.5)
    assert got["macro_f1"] == pytest.approx((0.8 + 2 / 3 + 0 + 0) / 4)
    assert got["loss"] == 3


def test_metrics_against_scikit_learn():
    rng = np.random.default_rng(0)
    target, predicted = rng.integers(0, 4, 200), rng.integers(1, 7, 200)
    got = metrics(predictions_of(target, predicted))
    assert got["accuracy"] == sklearn_metrics.accuracy_score(target, predicted)
    assert got["macro_f1"] == sklearn_metrics.f1_score(target, predicted, average="macro")
    recalls = sklearn_metrics.recall_score(target, predicted, labels=range(4), average=None)
    assert got["balanced_accuracy"] == pytest.approx(recalls.mean())
    assert got["worst_class_accuracy"] == pytest.approx(recalls.min())
    names = ("accuracy", "macro_f1", "balanced_accuracy", "worst_class_accuracy")
    assert set(got) == {"loss", *names, *(f"{name}_standard_error" for name in names)}


class Fixed(nn.Module):
    """Gives an example what is held for it, by its first input."""

    def __init__(self, held):
        super().__init__()
        self.held = nn.Parameter(torch.as_tensor(held))

    def forward(self, input):
        return self.held[input[:, 0].long()]


class Listed:
    """Examples whose input is their own place, of some kind of target."""

    def __init__(self, target, lengths=None):
        self.target, self.outputs, self.lengths = target, 1, lengths

    def __len__(self):
        return len(self.target)

    def fetch(self, rows, device):
        return Batch(rows, {"input": rows.index[:, None].float()}, torch.from_numpy(self.target)[rows.index], rows.weight)


def judged(held, target, kind, lengths=None):
    model = Fixed(held)
    learner = Learner(model, build_optimizer(model, "sgd", 0.1), lambda epoch: 1.0, OBJECTIVES[kind])
    return predict(learner, Listed(target, lengths), 3, kind)


@pytest.mark.parametrize("lengths", [None, np.array([3, 1, 4, 1, 5, 9, 2, 6])])
def test_numbers_come_back_in_the_labels_own_unit(lengths):
    rng = np.random.default_rng(0)
    label = rng.normal(200, 50, 8)
    said = label + rng.normal(0, 20, 8)
    mean, deviation = 190.0, 60.0
    stored, output = (((v - mean) / deviation).astype(np.float32) for v in (label, said))
    got = judged(output[:, None], stored, "number", lengths)
    np.testing.assert_allclose(got["loss"], ((said - label) / deviation) ** 2, rtol=1e-4, atol=1e-6)
    shown = in_unit(got, mean, deviation)
    np.testing.assert_allclose(shown["target"], label, rtol=1e-5)
    np.testing.assert_allclose(shown["predicted"], said, rtol=1e-5)
    found = metrics(shown, "number")
    # By another path: what is left of the variance, in the label's unit.
    assert found["r2"] == pytest.approx(1 - ((label - said) ** 2).sum() / ((label - label.mean()) ** 2).sum(), abs=1e-5)
    assert found["rmse"] == pytest.approx(((label - said) ** 2).mean() ** 0.5, rel=1e-5)
    assert list(found) == ["r2", "rmse", "loss"]


@pytest.mark.parametrize("mean", [0.0, 1.7e9, -3e12])
def test_numbers_far_from_zero_are_judged_as_near_to_it(mean):
    """In float32, all times of one day are the same number: R2 would be 1 whatever is predicted."""
    rng = np.random.default_rng(0)
    label, said = rng.normal(0, 20, (2, 100)).round(3)
    held = {"target": (label / 20).astype(np.float32), "predicted": (said / 20).astype(np.float32), "loss": np.zeros(100)}
    found = metrics(in_unit(held, mean, 20.0), "number")
    assert found["r2"] == pytest.approx(1 - ((label - said) ** 2).sum() / ((label - label.mean()) ** 2).sum(), abs=1e-4)
    assert found["rmse"] == pytest.approx(((label - said) ** 2).mean() ** 0.5, rel=1e-4)


def test_numbers_by_hand():
    got = metrics(
        {"target": np.array([1, 2, 3, 6.0]), "predicted": np.array([1, 2, 3, 2.0]), "loss": np.array([0, 0, 0, 1.0])}, "number"
    )
    # The mean is 3: squares about it are 4 + 1 + 0 + 9 = 14, and 16 is left.
    assert got == {"r2": pytest.approx(1 - 16 / 14), "rmse": 2.0, "loss": 0.25}


def test_perplexity_is_of_the_mean_token():
    rng = np.random.default_rng(1)
    logits, target = rng.normal(0, 2, (7, 5, 11)).astype(np.float32), rng.integers(0, 11, (7, 5))
    got = judged(logits, target, "tokens")
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    true = np.array([[p[i, t, target[i, t + 1]] for t in range(4)] for i in range(7)])
    np.testing.assert_allclose(got["loss"], -np.log(true).mean(1), rtol=1e-5)
    assert got["tokens"].tolist() == [4] * 7
    assert metrics(got, "tokens")["perplexity"] == pytest.approx(np.prod(true.astype(np.float64)) ** (-1 / true.size), rel=1e-5)
    assert set(got) == {"tokens", "loss"}


def test_perplexity_by_hand_weighs_tokens_and_not_sequences():
    loss = np.log(np.array([2.0, 8.0]))
    assert metrics({"tokens": np.array([3, 1]), "loss": loss}, "tokens")["perplexity"] == pytest.approx((2**3 * 8) ** 0.25)
