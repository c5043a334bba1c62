import numpy as np
import pytest

from components.selection.common.noise import FEW, TOLERATED, rate, rate_by_fake, rates_by_class, surer_half, suspects
from components.selection.draw.clean import Clean
from components.selection.draw.importance import Importance


def seen(p_true, p_other):
    """Return loss and margin of examples whose label and strongest other class have these probabilities."""
    p_true, p_other = np.asarray(p_true), np.asarray(p_other)
    return -np.log(p_true), p_other - p_true


def test_contradictions_are_counted_among_the_surer_half():
    # The largest probabilities are .9 .8 .7 | .6 .5 .4: of the first three, the second contradicts its label.
    loss, margin = seen([0.9, 0.1, 0.7, 0.2, 0.5, 0.3], [0.05, 0.8, 0.2, 0.6, 0.3, 0.4])
    assert surer_half(loss, margin).tolist() == [True, True, True, False, False, False]
    assert rate(loss, margin) == pytest.approx(1 / 3)


def test_nobody_is_contradicted_where_all_are_right():
    assert rate(*seen([0.6, 0.7, 0.8], [0.3, 0.2, 0.1])) == 0


def test_suspects_are_the_worst_by_mean_margin_and_never_who_is_right():
    margin = np.array([-0.9, 0.5, -0.2, 0.8, 0.1, -0.5, 0.3, -0.1, -0.4, 0.02])
    assert suspects(margin, TOLERATED + 0.2).tolist() == [1, 3]
    assert suspects(margin, 1.0).tolist() == [1, 3, 4, 6, 9]
    assert suspects(margin, TOLERATED).tolist() == []
    assert suspects(margin, 0.0).tolist() == []


def test_the_rate_of_a_class_by_hand():
    # Of those surely of class 0 a fifth is labelled 1; of those of class 1 all are labelled so. 60 of the 100 labels are 0.
    predicted, label = np.array([0] * 50 + [1] * 10 + [0] * 40), np.array([0] * 40 + [1] * 20 + [0] * 20 + [1] * 20)
    sure = np.arange(100) < 60
    wrong = 10 / 60
    labelled_1 = (10 + FEW * wrong) / (50 + FEW)
    labelled_0 = (0 + FEW * wrong) / (10 + FEW)
    # So many are of class 0 and 1: (1 - l1) n0 + l0 n1 = 60, and l1 n0 + (1 - l0) n1 = 40.
    n_0, n_1 = (
        (a * 60 - b * 40) / (1 - labelled_0 - labelled_1)
        for a, b in ((1 - labelled_0, labelled_0), (-labelled_1, labelled_1 - 1))
    )
    expected = [labelled_0 * n_1 / 60, labelled_1 * n_0 / 40]
    assert rates_by_class(sure, predicted, label) == pytest.approx(expected)


def test_suspects_of_each_label():
    margin, label = np.array([0.9, 0.8, 0.7, -0.5, 0.1, 0.2, -0.1, 0.3]), np.array([0, 1, 0, 1, 0, 1, 0, 1])
    rates = np.array([0.25, 0.5]) + TOLERATED
    assert suspects(margin, rates, label).tolist() == [0, 1, 7]


def test_who_was_never_seen_is_no_suspect():
    assert suspects(np.array([np.nan, 0.5, np.nan, 0.1]), 1.0).tolist() == [1, 3]


def mislabelled(share, by_class, seed=0, n=30_000, classes=5):
    """Return loss, margin, prediction, label and whether that is wrong, where class 0 is hard and the last one rare."""
    rng = np.random.default_rng(seed)
    true = rng.choice(classes, n, p=[0.3, 0.2, 0.2, 0.25, 0.05])
    wrong = rng.random(n) < share * (2 * (true == 1) if by_class else 1)
    label = np.where(wrong, (true + (1 if by_class else rng.integers(1, classes, n))) % classes, true)
    logits = rng.normal(0, 1, (n, classes))
    logits[np.arange(n), true] += rng.gamma(3, 1.5, n) * np.where(true == 0, 0.4, 1.2)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    predicted, p_true = p.argmax(1), p[np.arange(n), label]
    p[np.arange(n), label] = 0
    return *seen(p_true, p.max(1)), predicted, label, wrong


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.4])
def test_the_rate_of_a_model_that_knows_the_classes_is_found(share):
    loss, margin, _, _, wrong = mislabelled(share, by_class=False)
    estimate = rate(loss, margin)
    assert estimate == pytest.approx(share, abs=0.02)
    found = np.zeros(len(wrong), bool)
    found[suspects(margin, estimate)] = True
    if share:
        assert wrong[found].mean() > 0.85
        assert found[wrong].mean() > 0.7
    else:
        assert found.mean() < 0.005


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_the_rate_of_each_label_is_found_also_of_hard_and_of_rare_ones(share, by_class):
    loss, margin, predicted, label, wrong = mislabelled(share, by_class)
    found = rates_by_class(surer_half(loss, margin), predicted, label)
    expected = [wrong[label == c].mean() for c in range(5)]
    assert found == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_rate_by_a_fake_class(share):
    rng = np.random.default_rng(0)
    n = 20_000
    fake = rng.random(n) < 0.1
    wrong = rng.random(n) < share
    margin = np.where(fake | wrong, np.clip(rng.normal(0.6, 0.2, n), -1, 1), np.clip(rng.normal(-0.7, 0.3, n), -1, 1))
    assert rate_by_fake(margin, fake) == pytest.approx(share, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("selector", [Importance(0.5), Clean(after=3)], ids=["importance", "clean"])
def test_with_wrong_labels_what_is_right_is_learnt(make_training, make_images, selector):
    """With the sign of the margin the wrong way round it would leave out what is right, and say nothing of it."""
    examples = make_images(600, seed=3)
    true = examples.target.copy()
    examples.pixels[:] = np.random.default_rng(1).integers(0, 60, examples.pixels.shape)
    examples.pixels[np.arange(600), 0, true] = 255
    wrong = np.random.default_rng(0).permutation(600)[:150]
    examples.target[wrong] = (true[wrong] + 1 + np.arange(150) % 3) % 4
    training = make_training(selector, examples=examples, epochs=8, batch_size=20, dropout=0.0)
    for _ in training.until():
        pass
    training.sweep()
    assert (training.ledger.column("predicted") == true).mean() > 0.9
    drawn = training.ledger.column("drawn")
    assert drawn[wrong].mean() < np.delete(drawn, wrong).mean()
