import numpy as np
import pytest
from scipy import sparse

from components.diagnosis.measures import Pace, agreeing, concentration, pace, paces, signal, wrong_labels


def table(label, predicted, margin, **columns):
    """A score table in which the model is as sure as the margins say."""
    margin = np.asarray(margin, np.float64)
    p = (1 - margin) / 2
    right = np.asarray(predicted) == np.asarray(label)
    held = {"loss": -np.log(p), "margin": margin, "margin_mean": margin, "predicted": np.asarray(predicted), "correct": right}
    return held | {"forgotten": np.zeros(len(p), int)} | columns


def test_suspects_are_named_the_surest_first_with_what_they_are_taken_for():
    label = np.repeat([0, 1], 100)
    predicted, margin = label.copy(), np.full(200, -0.8)
    wrong = np.arange(80, 110)
    predicted[wrong], margin[wrong] = 1 - label[wrong], np.linspace(0.85, 0.95, 30)
    found = wrong_labels(table(label, predicted, margin), label)
    assert found.suspects[0] == 109
    assert 15 <= len(found.suspects) <= 30
    assert found.sure[found.suspects].tolist() == sorted(found.sure[found.suspects], reverse=True)
    assert (found.likely[found.suspects] != label[found.suspects]).all()
    assert found.rates[0] > found.rates[1] > 0.02


def test_who_was_learnt_by_heart_since_is_not_named():
    label = np.repeat([0, 1], 100)
    predicted, margin = label.copy(), np.full(200, -0.8)
    margin_mean = margin.copy()
    predicted[:20], margin[:20], margin_mean[:20] = 1, 0.6, 0.6
    scores = table(label, predicted, margin, margin_mean=margin_mean)
    assert set(wrong_labels(scores, label).suspects) <= set(range(20))
    scores["predicted"] = np.where(np.arange(200) == 5, 0, predicted)
    assert 5 not in wrong_labels(scores, label).suspects


def test_clean_labels_have_no_suspects():
    label = np.repeat([0, 1, 2], 50)
    assert len(wrong_labels(table(label, label, np.full(150, -0.7)), label).suspects) == 0


def test_how_much_comes_from_how_few_by_hand():
    found = concentration(np.array([6.0, 1, 1, 1, 1, 0, 0, 0, 0, 0]))
    assert found.sample_size == pytest.approx(100 / (10 * 40))
    assert found.shares[0.1] == pytest.approx(0.6)
    assert found.shares[0.25] == pytest.approx(0.7)  # two of ten
    assert found.shares[0.5] == 1
    alike = concentration(np.ones(8))
    assert (alike.sample_size, alike.shares[0.5]) == (1, 0.5)
    assert concentration(np.zeros(4)).sample_size == 1


def test_the_signal_of_tokens_is_what_the_mean_one_lacks():
    scores = {"gradient_norm": np.full(2, np.nan), "loss": np.array([0.0, np.log(4)])}
    assert signal(scores, classes=False).tolist() == pytest.approx([0, 0.75])
    assert signal({"gradient_norm": np.array([0.5]), "loss": np.ones(1)}, classes=True).tolist() == [0.5]


def test_the_pace_by_hand():
    scores = {
        "correct": np.array([1, 1, 1, 0, 0], bool),
        "margin_mean": np.array([-0.5, 0.1, -0.2, 0.3, 0.4]),
        "forgotten": np.array([0, 0, 1, 1, 0]),
    }
    assert pace(scores) == Pace(0.2, 0.4, 0.2, 0.2)
    assert pace(scores, np.zeros(5, bool)) == Pace(0, 0, 0, 0)
    first, second = paces(scores, np.array([0, 0, 0, 1, 1]), 2)
    assert (first.early, first.late, second.forgotten) == pytest.approx((1 / 3, 2 / 3, 0.5))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_a_suspect_is_held_against_what_is_most_like_it_and_trusted(kind):
    vectors = kind(np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1], [0.95, 0.05]]))
    label, likely = np.array([0, 1, 1, 1, 1]), np.array([1, 1, 1, 1, 1])
    trusted = np.array([False, True, True, True, False])
    assert agreeing(vectors, [0], likely, trusted, label) == [[1, 2, 3]]
