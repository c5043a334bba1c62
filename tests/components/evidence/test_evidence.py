"""What a forward pass showed of each example: losses, norms, right and wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.evidence.evidence import Evidence, NonFiniteLossError, refuse_non_finite
from components.evidence.objectives import OBJECTIVES


def test_losses_and_who_is_right_by_hand(make_evidence):
    seen = make_evidence([5, 9], np.log([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]]), [1, 2])
    assert len(seen) == 2
    assert seen.total_loss == pytest.approx(-np.log(0.7) - np.log(0.25), rel=1e-6)
    assert seen.predicted.tolist() == [1, 0]
    assert seen.correct.tolist() == [True, False]
    # Of probabilities less the truth: (.2, -.3, .1) and (.5, .25, -.75).
    np.testing.assert_allclose(seen.gradient_norm, [0.14**0.5, 0.875**0.5], rtol=1e-5)
    np.testing.assert_allclose(seen.signals.norm, [0.14**0.5, 0.875**0.5], rtol=1e-5)


def test_where_there_are_no_classes_nobody_is_right():
    seen = Evidence(torch.tensor([0]), torch.zeros(1), torch.zeros(1), torch.zeros(1, 1), False, OBJECTIVES["number"])
    assert (seen.predicted.tolist(), seen.correct.tolist()) == ([-1], [False])


def test_a_norm_that_was_given_is_not_worked_out(make_evidence):
    seen = replace(make_evidence([0], [[1, 0]], [0]), norm=torch.tensor([7.0]), input_norm=torch.tensor([3.0]))
    assert (seen.gradient_norm.tolist(), seen.signals.norm.tolist()) == ([7], [7])
    assert seen.signals.input_norm.tolist() == [3]


def test_several_sights_are_joined_as_one(make_evidence):
    logits, target = np.random.default_rng(0).normal(size=(5, 3)), [0, 1, 2, 1, 0]
    whole = make_evidence([4, 3, 2, 1, 0], logits, target, looked=True)
    parts = [make_evidence([4, 3], logits[:2], target[:2], True), make_evidence([2, 1, 0], logits[2:], target[2:], True)]
    parts = [replace(part, norm=part.gradient_norm) for part in parts]
    joined = Evidence.joined(parts)
    assert all(torch.equal(getattr(joined, name), getattr(whole, name)) for name in ("index", "target", "output"))
    torch.testing.assert_close(joined.loss, whole.loss)
    torch.testing.assert_close(joined.norm, whole.gradient_norm)
    assert (joined.looked, joined.log_p, joined.input_norm) == (True, None, None)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_loss_that_is_no_number_is_named_by_its_place(bad):
    loss = torch.tensor([1.0, bad, float("nan")])
    seen = Evidence(torch.tensor([40, 10, 30]), torch.zeros(3, dtype=torch.int64), loss, torch.zeros(3, 2), False)
    with pytest.raises(NonFiniteLossError, match=f"the loss of example 10 is {bad}$") as caught:
        refuse_non_finite(seen)
    assert caught.value.index == 10
