"""Models with a normalisation of their own, and what is frozen of them."""

import copy

import pytest
import torch
from torch import nn

from components.models.normalised import Normalised, Scale, check_images


class Seen(nn.Module):
    """Returns what it is given, as transformers' models do."""

    def forward(self, images, *, twice=False):
        self.logits = 2 * images if twice else images
        return self


def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 36, 2))


@pytest.mark.parametrize(("channels", "own"), [(3, 3), (1, 3), (1, 1)])
def test_images_are_normalised_by_channel_as_the_model_was_trained(channels, own):
    pixels = torch.randint(0, 256, (2, channels, 4, 4)).float()
    mean, deviation = torch.tensor([120.0, 110.0, 100.0][:own]), torch.tensor([60.0, 50.0, 40.0][:own])
    model = Normalised(Seen(), 4, Scale([70.0], [90.0]), Scale(mean.tolist(), deviation.tolist()))
    expected = (pixels - mean[:, None, None]) / deviation[:, None, None]
    torch.testing.assert_close(model(input=(pixels - 70) / 90), expected)
    assert not model.state_dict()


def test_without_a_normalisation_images_are_passed_on_as_they_are():
    images = torch.randn(2, 1, 4, 4)
    assert torch.equal(Normalised(Seen(), 4)(images), images)
    assert torch.equal(Normalised(Seen(), 4, twice=True)(images), 2 * images)


def test_a_scale_of_other_channels_is_the_average():
    scale = Scale([1.0, 2.0, 6.0], [4.0, 4.0, 1.0])
    assert scale.of_channels(3) is scale
    assert scale.of_channels(1) == Scale([3.0], [3.0])
    assert scale.of_channels(2) == Scale([3.0, 3.0], [3.0, 3.0])


def test_what_is_frozen_stays_in_evaluation_mode_and_the_rest_is_trained():
    model = Normalised(network(), 8)
    model.freeze(model.body[:2].parameters())
    for one in (model, copy.deepcopy(model), nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))):
        one.eval()
        one.train()
        assert [m.training for m in one.body] == [False, False, True, True, True]
        assert [n for n, p in one.named_parameters() if p.requires_grad] == ["body.4.weight", "body.4.bias"]
    before = model.body[1].running_mean.clone()
    model(torch.randn(4, 1, 8, 8)).sum().backward()
    assert torch.equal(model.body[1].running_mean, before)
    assert model.body[0].weight.grad is None


def test_images_that_a_model_does_not_take_are_named():
    model = Normalised(network(), 8).eval()
    check_images(model, 1, 8, 2)
    assert model.training
    with pytest.raises(ValueError, match=r"does not take images of 1 x 9 x 9: mat1 and mat2 shapes.*; set another image_size$"):
        check_images(model, 1, 9, 2)
    with pytest.raises(ValueError, match=r"must give 3 values for each of images of 1 x 8 x 8, got \[2\]"):
        check_images(model, 1, 8, 3)
