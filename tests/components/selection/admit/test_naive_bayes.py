"""The predictor against scikit-learn's, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import BernoulliNB

from components.selection.admit import naive_bayes
from components.selection.admit.naive_bayes import NaiveBayes
from components.tasks.cheap_features import Bag


def bag_of(present):
    """Return the rows of a matrix of 0 and 1 as bags."""
    return Bag(np.nonzero(present)[1].astype(np.int32), np.concatenate([[0], np.cumsum(present.sum(1))]))


@given(st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 5), st.floats(0.02, 0.98))
def test_its_probabilities_and_decisions_are_scikit_learns(seed, features, batches, share):
    rng = np.random.default_rng(seed)
    mine, theirs = NaiveBayes.new(features), BernoulliNB()
    for _ in range(batches):
        present, label = rng.random((9, features)) < share, rng.random(9) < 0.4
        label[:2] = False, True
        mine.learn(bag_of(present), label)
        theirs.partial_fit(present, label, classes=[False, True])
        asked = rng.random((7, features)) < rng.random()
        expected = theirs.predict_log_proba(asked)
        odds, truth = mine.log_odds(bag_of(asked)), rng.random(7) < 0.5
        assert odds == pytest.approx(expected[:, 1] - expected[:, 0], abs=1e-6, rel=1e-9)
        assert ((odds > 0) == theirs.predict(asked)).all()
        assert -mine.log_loss(bag_of(asked), truth) == pytest.approx(np.where(truth, expected[:, 1], expected[:, 0]), abs=1e-6)


@pytest.mark.parametrize("common", [1, 3])
def test_features_too_frequent_to_be_counted_by_their_count_are_scikit_learns_too(monkeypatch, common):
    monkeypatch.setattr(naive_bayes, "COMMON", common)
    test_its_probabilities_and_decisions_are_scikit_learns()


def test_it_goes_on_from_its_counts_to_the_bit():
    rng = np.random.default_rng(0)
    whole, again = NaiveBayes.new(40), NaiveBayes.new(40)
    for _ in range(30):
        bag, label = bag_of(rng.random((16, 40)) < 0.3), rng.random(16) < 0.4
        whole.learn(bag, label)
        again = NaiveBayes(again.counts.copy(), again.examples.copy())
        again.learn(bag, label)
        assert (again.log_odds(bag) == whole.log_odds(bag)).all()


def test_by_hand():
    predictor = NaiveBayes.new(2)
    predictor.learn(bag_of(np.array([[1, 0], [1, 1], [0, 1]])), np.array([False, False, True]))
    # theta of class 0: 3/4, 2/4; of class 1: 1/3, 2/3. Priors 2/3 and 1/3.
    odds = predictor.log_odds(bag_of(np.array([[1, 0], [0, 1]])))
    one = [(1 / 3) * (1 / 3) * (1 / 3), (1 / 3) * (2 / 3) * (2 / 3)]
    none = [(2 / 3) * (3 / 4) * (1 / 2), (2 / 3) * (1 / 4) * (1 / 2)]
    assert np.exp(odds) == pytest.approx(np.divide(one, none))


@pytest.mark.parametrize("label", [False, True])
def test_until_it_knows_both_classes_it_has_no_opinion(label):
    predictor, bag = NaiveBayes.new(3), bag_of(np.eye(3, dtype=int))
    predictor.learn(bag, np.full(3, label))
    assert predictor.log_odds(bag).tolist() == [0, 0, 0]
    assert predictor.log_loss(bag, np.full(3, label)) == pytest.approx([np.log(2)] * 3)
    predictor.learn(bag, np.full(3, not label))
    assert predictor.knows_both


def test_many_features_that_every_example_has_do_not_underflow():
    predictor, present = NaiveBayes.new(64), np.ones((2000, 64), int)
    predictor.learn(bag_of(present), np.arange(2000) % 2 == 0)
    assert np.isfinite(predictor.log_odds(bag_of(np.zeros((1, 64), int)))).all()
