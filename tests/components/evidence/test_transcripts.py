"""The CTC loss of each example, and its gradient's norm, against torch's own and sums over all paths by hand."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss

from components.evidence.objectives import OBJECTIVES
from components.evidence.transcripts import Transcripts
from components.models.sounds import silenced
from components.tasks.sequences import IGNORED

TRANSCRIPTS = OBJECTIVES["transcript"]


def by_paths(logits, tokens, blank=0):
    """The loss by summing the probability of every path that spells ``tokens``."""
    p = logits.softmax(-1).numpy()
    total = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        if [t for t, _ in itertools.groupby(path) if t != blank] == tokens:
            total += np.prod([p[i, t] for i, t in enumerate(path)])
    return -np.log(total) / len(tokens)


def batch():
    torch.manual_seed(0)
    frames, target = torch.tensor([5, 3, 4]), torch.tensor([[1, 1, 2], [2, IGNORED, IGNORED], [2, 1, IGNORED]])
    return torch.randn(3, 5, 3), frames, target


def test_the_loss_is_that_of_all_paths_and_frames_behind_the_last_change_nothing():
    logits, frames, target = batch()
    seen = TRANSCRIPTS.see(silenced(logits, frames, 0), target, norm=False)
    expected = [by_paths(logits[i, : frames[i]], [t for t in target[i].tolist() if t >= 0]) for i in range(3)]
    np.testing.assert_allclose(seen.loss, expected, rtol=1e-5)
    torch.testing.assert_close(seen.output, -seen.loss[:, None])


def test_it_is_torchs_mean_of_an_example_alone():
    logits, frames, target = batch()
    seen = TRANSCRIPTS.see(silenced(logits, frames, 0), target, norm=False).loss
    for i, loss in enumerate(seen):
        own = [t for t in target[i].tolist() if t >= 0]
        log_p = logits[i, : frames[i], None].log_softmax(-1)
        torch.testing.assert_close(loss, ctc_loss(log_p, torch.tensor([own]), frames[i : i + 1], torch.tensor([len(own)])))


@pytest.mark.parametrize("looked", [False, True])
def test_the_norm_is_that_of_the_gradient_by_the_logits(looked):
    logits, frames, target = batch()
    with torch.inference_mode(looked):
        norm = TRANSCRIPTS.see(silenced(logits, frames, 0), target, norm=True).norm
    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(TRANSCRIPTS.see(silenced(leaf, frames, 0), target, norm=False).loss.sum(), leaf)
    torch.testing.assert_close(norm, gradient.flatten(1).norm(dim=1))
    assert (gradient[1, 3:] == 0).all()


def test_another_token_may_be_the_blank():
    logits, frames, target = batch()
    swapped = logits[..., [2, 1, 0]]  # token 2 has the logits of the blank
    other = torch.where(target == 2, 0, target)
    seen = Transcripts(2).see(silenced(swapped, frames, 2), other, norm=False).loss
    torch.testing.assert_close(seen, TRANSCRIPTS.see(silenced(logits, frames, 0), target, norm=False).loss)


def test_a_constant_prediction_is_worse_than_hearing_and_better_than_chance(make_transcribed):
    examples = make_transcribed()
    constant = TRANSCRIPTS.constant_loss(examples)
    target = torch.from_numpy(examples.written(np.arange(60)))
    frames = torch.from_numpy(examples.frames)
    uniform = TRANSCRIPTS.see(silenced(torch.zeros(60, 10, 4), frames, 0), target, norm=False).loss.mean()
    assert 0 < constant < uniform


def test_a_constant_prediction_is_the_best_share_of_the_blank_by_hand(make_transcribed):
    examples = make_transcribed(1)
    frames, target = int(examples.frames[0]), examples.written(np.arange(1))[0]
    shares = np.bincount(target, minlength=4) / len(target)
    losses = []
    for blank in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98):
        p = np.where(np.arange(len(shares)) == 0, blank, shares * (1 - blank))
        losses.append(by_paths(torch.tensor(np.log(np.maximum(p, 1e-300))).expand(frames, -1), target.tolist()))
    assert TRANSCRIPTS.constant_loss(examples) == pytest.approx(min(losses), rel=1e-5)
