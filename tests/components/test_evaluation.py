import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from components.evaluation import Predictions, metrics, predict


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
    logits = one_by_one(learner.model, examples, make_rows)
    p = logits.softmax(1).numpy()[np.arange(len(examples)), examples.target]
    assert got.target.tolist() == examples.target.tolist()
    assert got.predicted.tolist() == logits.argmax(1).tolist()
    np.testing.assert_allclose(got.confidence, p, rtol=1e-4)
    np.testing.assert_allclose(got.loss, -np.log(p), rtol=1e-4, atol=1e-6)


def predictions_of(target, predicted, loss=None):
    loss = np.zeros(len(target), np.float32) if loss is None else np.array(loss, np.float32)
    return Predictions(np.array(target), np.array(predicted), np.exp(-loss), loss)


def test_metrics_by_hand():
    # Class 0: precision 2/3, recall 1, F1 0.8. Class 1: precision 1, recall 1/2, F1 2/3. Class 2 is never right.
    got = metrics(predictions_of([0, 0, 1, 1, 2], [0, 0, 1, 0, 3], [1, 2, 3, 4, 5]))
    assert got["accuracy"] == pytest.approx(0.6)
    assert got["accuracy_standard_error"] == pytest.approx((0.6 * 0.4 / 5) ** 0.5)
    assert got["macro_f1"] == pytest.approx((0.8 + 2 / 3 + 0 + 0) / 4)
    assert got["loss"] == 3


def test_metrics_against_scikit_learn():
    rng = np.random.default_rng(0)
    target, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    got = metrics(predictions_of(target, predicted))
    assert got["accuracy"] == sklearn_metrics.accuracy_score(target, predicted)
    assert got["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(target, predicted, average="macro"))
    assert set(got) == {"accuracy", "accuracy_standard_error", "macro_f1", "loss"}
