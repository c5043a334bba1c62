"""What is at chance: against models that say the same of every example, worked by hand."""

import numpy as np
import pytest

from components.costs.savings import Metric
from components.evaluation.chance import constant, margin_over

ACCURACY, R2, PERPLEXITY = Metric("accuracy", higher=True), Metric("r2", higher=True), Metric("perplexity", higher=False)


def told(target, predicted):
    target, predicted = np.asarray(target), np.asarray(predicted)
    return {"target": target, "predicted": predicted, "loss": np.zeros(len(target))}


def test_of_classes_the_largest_of_the_training_split_is_said():
    columns = told([0, 0, 1, 2], [0, 0, 1, 2])
    other = constant(columns, "class", np.array([2, 2, 1]))
    assert other["predicted"].tolist() == [2, 2, 2, 2]
    chance, above = margin_over(columns, other, "class", ACCURACY)
    # Right where the other is wrong in three of four: a mean difference of 0.75 with a standard error of sqrt(0.1875 / 3).
    assert chance == 0.25
    assert above == pytest.approx(0.75 - 2 * (0.1875 / 3) ** 0.5)


def test_of_numbers_the_mean_is_said():
    target = np.array([1.0, 2.0, 3.0, 6.0])
    columns = told(target, target)
    other = constant(columns, "number", np.array([2.0, 4.0]))
    assert other["predicted"].tolist() == [3.0] * 4
    chance, above = margin_over(columns, other, "number", R2)
    # The mean of the test split itself explains nothing of it; the squares over their variance are 8, 2, 0 and 18 sevenths.
    assert chance == pytest.approx(0)
    assert above == pytest.approx(1 - np.std([8 / 7, 2 / 7, 0, 18 / 7], ddof=1))


def test_of_several_numbers_it_is_the_mean_of_each():
    target, predicted = {"a": [1.0, 2.0, 3.0], "b": [10.0, 30.0, 50.0]}, {"a": [1.0, 2.0, 3.0], "b": [20.0, 30.0, 40.0]}
    columns = {f"target.{n}": np.array(v) for n, v in target.items()} | {
        f"predicted.{n}": np.array(v) for n, v in predicted.items()
    }
    columns["loss"] = np.zeros(3)
    other = constant(columns, "numbers", np.array([[2.0, 40.0], [2.0, 20.0]]))
    assert (other["predicted.a"].tolist(), other["predicted.b"].tolist()) == ([2.0] * 3, [30.0] * 3)
    chance, above = margin_over(columns, other, "numbers", R2)
    assert chance == pytest.approx(0)
    # R2 is 1 and 3/4; the parts differ by half of 3/2, 0, 3/2 and of 3/2 - 3/8, 0, 3/2 - 3/8.
    assert above == pytest.approx(7 / 8 - 2 * np.std([21 / 16, 0, 21 / 16], ddof=1) / 3**0.5)


def test_of_tokens_it_is_said_how_often_each_is():
    columns = {"loss": np.array([0.5, 0.5]), "tokens": np.array([2, 2])}
    tokens = np.array([[0, 0, 1], [0, 2, 0]])
    other = constant(columns, "tokens", np.array([[0, 0], [0, 1]]), tokens, 3)
    # One more than it was counted, of 7: 4, 2 and 1. The first token of a row is not predicted.
    assert other["loss"] == pytest.approx([-(np.log(4 / 7) + np.log(2 / 7)) / 2, -(np.log(1 / 7) + np.log(4 / 7)) / 2])
    chance, _ = margin_over(columns, other, "tokens", PERPLEXITY)
    assert chance == pytest.approx(np.exp(other["loss"].mean()))


def test_a_model_that_says_the_same_of_every_example_is_not_above():
    target = np.arange(100) % 2
    columns = told(target, np.zeros(100, int))
    assert margin_over(columns, constant(columns, "class", np.array([0, 0, 1])), "class", ACCURACY) == (0.5, 0.0)


def test_one_more_right_of_a_hundred_may_be_chance_and_thirty_are_not():
    target = np.arange(100) % 2
    for right, above in ((1, False), (30, True)):
        said = np.where(np.cumsum(target) <= right, target, 0)
        columns = told(target, said)
        assert (margin_over(columns, constant(columns, "class", np.array([0])), "class", ACCURACY)[1] > 0) is above
