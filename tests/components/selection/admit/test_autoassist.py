import numpy as np
import pytest
import torch

from components.epoch_records import EpochRecord
from components.selection.admit.autoassist import AutoAssist


def reference(images, batches, base, rate):
    """The assistant in dense numpy: features as a matrix, one batch of (index, loss) after another."""
    bag = images.bags.of(np.arange(len(images)))
    x = np.zeros((len(images), images.bags.count))
    x[np.repeat(np.arange(len(images)), np.diff(bag.ends)), bag.features] = 1
    w, u, total, count = np.zeros(x.shape[1]), np.zeros(4), 0.0, 0.0
    for index, loss in batches:
        total, count = 0.75 * total + 0.25 * loss.sum(), 0.75 * count + 0.25 * len(loss)
        q = 1 / (1 + np.exp(-(x[index] @ w + u[images.target[index]])))
        error = q - (loss > total / count)
        w = (1 - rate * 1e-3) * w - rate * x[index].T @ error / len(loss)
        np.subtract.at(u, images.target[index], rate * error / len(loss))
    return base + (1 - base) / (1 + np.exp(-(x @ w + u[images.target])))


def test_its_chances_are_those_of_a_dense_logistic_regression(make_images, make_evidence, make_rows):
    images, rng = make_images(30), np.random.default_rng(1)
    method, batches = AutoAssist(base=0.2, assistant_rate=2.0), []
    for _ in range(6):
        index = rng.permutation(30)[:8]
        evidence = make_evidence(index, rng.normal(size=(8, 4)) * 3, images.target[index])
        batches.append((index, evidence.loss.numpy().astype(np.float64)))
        assert method.admits == (len(batches) > 1)
        method.learn(evidence, images)
    chance = reference(images, batches, 0.2, 2.0)
    assert 0.2 + 0.8 * method.hard(images.bags.of(np.arange(30)), images.target) == pytest.approx(chance)
    draws = np.mean([method.admit(make_rows(range(30)), images, rng) for _ in range(4000)], axis=0)
    assert draws == pytest.approx(chance, abs=0.04)


def test_it_comes_to_skip_what_is_easy(make_training, make_images):
    training = make_training(AutoAssist(base=0.1, assistant_rate=20.0), epochs=6, examples=make_images(120), batch_size=8)
    records = [m for m in training.until() if isinstance(m, EpochRecord)]
    assert records[0].trained > records[-1].trained > 0
    assert all(r.looked == 0 for r in records)
    assert torch.isfinite(training.learner.parameters[0]).all()


def test_targets_that_are_numbers_have_no_classes(make_evidence):
    class Numbers:
        target = np.array([0.5, -1.0, 2.0], np.float32)

    from components.selection.admit.autoassist import _classes

    assert _classes(np.array([2, 0]), Numbers()).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base": 0.0}, r"base must be in \(0, 1\], got 0.0; the nearest that works is 0.01"),
        ({"assistant_rate": 0.0}, "assistant_rate must be above 0, got 0.0; one that works: 0.01"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AutoAssist(**arguments)
