"""Small models of sounds take features of any size, and learn."""

import pytest
import torch
from torch import nn

from components.models.sounds import NEVER, SOUNDS, mel_cnn, silenced


@pytest.mark.parametrize(("bands", "frames"), [(16, 21), (40, 201), (8, 8)])
def test_it_gives_a_logit_a_class_for_any_size(bands, frames):
    model = SOUNDS["mel-cnn"](bands, frames, 5)
    assert model(input=torch.zeros(3, 1, bands, frames)).shape == (3, 5)


def test_stages_are_as_wide_as_is_said():
    model = mel_cnn(16, 16, 2, widths=[4, 8])
    convolutions = [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [4, 4, 4, 8, 8, 8]
    assert model.stem[1].num_features == 4


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match=r"needs 8 bands and frames or more for 3 stages, got 4 x 20"):
        mel_cnn(4, 20, 2)
    with pytest.raises(ValueError, match=r"options.widths: must name the channels of a stage, got none"):
        mel_cnn(16, 16, 2, widths=[])


def test_low_and_high_are_learnt():
    torch.manual_seed(0)
    target = torch.arange(32) % 2
    sounds = 0.5 * torch.randn(32, 1, 16, 16)
    sounds[torch.arange(32), 0, 4 + 8 * target] += 2
    model = mel_cnn(16, 16, 2, widths=[4, 8])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(sounds), target).backward()
        optimizer.step()
    assert (model.eval()(sounds).argmax(1) == target).float().mean() > 0.9


def test_frames_behind_the_last_are_sure_of_the_blank_and_the_others_as_they_were():
    logits = torch.randn(2, 4, 3, requires_grad=True)
    found = silenced(logits, torch.tensor([4, 1]), 2)
    torch.testing.assert_close(found[0], logits[0])
    torch.testing.assert_close(found[1, 0], logits[1, 0])
    assert found[1, 1:].tolist() == [[NEVER, NEVER, 0.0]] * 3
    assert found[1, 1:].softmax(-1).tolist() == [[0.0, 0.0, 1.0]] * 3
    (gradient,) = torch.autograd.grad(found.square().sum(), logits)
    assert (gradient[1, 1:] == 0).all()
