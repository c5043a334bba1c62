"""What an objective is without saying so: no class, nothing right, no margin."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from components.evidence.objective import entropy_of
from components.evidence.objectives import OBJECTIVES


@pytest.mark.parametrize("kind", ["number", "tokens"])
def test_without_classes_nothing_is_right_and_no_class_is_predicted(kind):
    output, target = torch.ones(3, 1), torch.ones(3)
    assert OBJECTIVES[kind].right(output, target).tolist() == [False] * 3
    assert OBJECTIVES[kind].predicted(output).tolist() == [-1] * 3


@pytest.mark.parametrize("codes", [[0, 0, 1, 3], [2], [[0, 1], [1, 1]]])
def test_an_entropy_is_scipys(codes):
    counts = np.bincount(np.ravel(codes))
    assert entropy_of(np.array(codes)) == pytest.approx(entropy(counts))
