import numpy as np
import pytest
import torch

from components.tasks.augmentation import Augmentation, Crop, Flip
from components.tasks.image import Images, tiles

CPU = torch.device("cpu")


def test_a_batch_is_scaled_by_mean_and_deviation(make_rows):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
    batch = Images(pixels, np.arange(5), 5, 120.0, 50.0).fetch(make_rows([3, 0], [1, 2]), CPU)
    torch.testing.assert_close(batch.inputs["input"], torch.from_numpy((pixels[[3, 0]].astype(np.float32) - 120) / 50))
    assert batch.target.tolist() == [3, 0]
    assert batch.weight.tolist() == [1, 2]


def test_fetching_leaves_the_stored_pixels_alone(make_rows):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 2, 2), dtype=np.uint8)
    before = pixels.copy()
    images = Images(pixels, np.arange(5), 5, 120.0, 50.0)
    first = images.fetch(make_rows([1, 2]), CPU).inputs["input"]
    first.zero_()
    assert (pixels == before).all()
    assert images.fetch(make_rows([1, 2]), CPU).inputs["input"].any()


def test_images_that_are_all_alike_do_not_divide_by_zero(make_rows):
    images = Images(np.full((2, 1, 2, 2), 7, np.uint8), np.zeros(2, np.int64), 1, 7.0, 0.0)
    assert images.fetch(make_rows([0, 1]), CPU).inputs["input"].tolist() == np.zeros((2, 1, 2, 2)).tolist()


def test_images_of_steps_are_changed_before_they_are_scaled_and_nothing_else_is(make_rows):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
    images, augmentation = Images(pixels, np.arange(5), 5, 120.0, 50.0), Augmentation([Crop(2), Flip(0.5)], 0)
    rows = make_rows([3, 0], [1, 2])
    before, batch = images.fetch(rows, CPU), images.augmented(augmentation, 7).fetch(rows, CPU)
    changed = augmentation(torch.from_numpy(pixels[[3, 0]]), np.array([3, 0]), 7)
    torch.testing.assert_close(batch.inputs["input"], (changed.float() - 120) / 50)
    assert not torch.equal(batch.inputs["input"], before.inputs["input"])
    assert torch.equal(batch.target, before.target)
    assert torch.equal(images.fetch(rows, CPU).inputs["input"], before.inputs["input"])


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_known_by_the_means_of_sixteen_tiles(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, channels, 8, 8), dtype=np.uint8)
    means = [
        pixels[:, c, y : y + 2, x : x + 2].mean((1, 2)) for y in range(0, 8, 2) for x in range(0, 8, 2) for c in range(channels)
    ]
    assert (tiles(pixels) == np.stack(means, 1)).all()
    assert np.diff(Images(pixels, np.arange(5), 5, 0.0, 1.0).bags.of(np.arange(5)).ends).tolist() == [16 * channels] * 5


def test_images_smaller_than_the_tiles_have_one_a_pixel():
    assert tiles(np.arange(12, dtype=np.uint8).reshape(2, 1, 3, 2)).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
