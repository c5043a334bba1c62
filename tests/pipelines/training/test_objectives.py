"""The loss that is trained on is as planned, or its classes are refused by name."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from components.evidence.objectives import OBJECTIVES
from pipelines.core.errors import UserError
from pipelines.data.manifest import TrainCounts
from pipelines.training.objectives import class_weights, objective_of
from tests.pipelines.training.test_builders import settings

MANIFEST = SimpleNamespace(
    task="fruit", target="class", classes=["apple", "fig", "pear"], by_class=TrainCounts(train=[6, 1, 3])
)
CPU = torch.device("cpu")


def test_without_keys_it_is_the_plain_one_itself():
    assert objective_of(settings(), MANIFEST, CPU) is OBJECTIVES["class"]


def test_balanced_is_scikit_learns():
    target = [0] * 6 + [1] + [2] * 3
    expected = compute_class_weight("balanced", classes=np.arange(3), y=target)
    assert class_weights(settings(class_weights="balanced"), MANIFEST) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["square-root", "square_root"])
def test_square_roots_by_hand(name):
    roots = [6**-0.5, 1, 3**-0.5]
    mean = (6 * roots[0] + 1 + 3 * roots[2]) / 10
    assert class_weights(settings(class_weights=name), MANIFEST) == pytest.approx([root / mean for root in roots])


def test_a_named_class_weighs_what_is_given_and_others_one():
    objective = objective_of(settings(class_weights={"fig": 4.0}, label_smoothing=0.1), MANIFEST, CPU)
    assert (objective.weights.tolist(), objective.smoothing) == ([1, 4, 1], 0.1)


def test_an_unknown_class_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"tasks.fruit.training.class_weights: 'pera': no such class, did you mean 'pear'\?"):
        objective_of(settings(class_weights={"pera": 2.0}), MANIFEST, CPU)
