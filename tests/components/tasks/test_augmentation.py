"""Batches are changed as torchvision changes their images one at a time, with the same numbers drawn."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from components.tasks.augmentation import Augmentation, Crop, Erase, Flip, RandAugment

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 7, 5), (1, 1, 1)]
EVERY = [Crop(2), Flip(0.5), RandAugment(2, 9), Erase(0.5)]


def images_of(shape, n=40):
    return torch.from_numpy(np.random.default_rng(0).integers(1, 256, (n, *shape), dtype=np.uint8))


def changed(transform, pixels, index, epoch=1):
    return Augmentation([transform], 0)(pixels, index, epoch)


def numbers_of(index, count, epoch=1):
    return Augmentation([], 0).draw(epoch, 0)(index, count)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_a_crop_is_torchvisions(shape, padding):
    pixels, index = images_of(shape), np.arange(40) * 3
    corners = np.floor(numbers_of(index, 2) * (2 * padding + 1)).astype(int)
    expected = [
        functional.crop(functional.pad(image, [padding]), *corner, *shape[1:])
        for image, corner in zip(pixels, corners.tolist(), strict=True)
    ]
    assert torch.equal(changed(Crop(padding), pixels, index), torch.stack(expected))
    assert len(np.unique(corners, axis=0)) > min(30, (2 * padding + 1) ** 2 - 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_flip_is_torchvisions(shape, p):
    pixels, index = images_of(shape), np.arange(40) * 3
    chosen = numbers_of(index, 1)[:, 0] < p
    expected = [functional.horizontal_flip(i) if c else i for i, c in zip(pixels, chosen, strict=True)]
    assert torch.equal(changed(Flip(p), pixels, index), torch.stack(expected))
    assert chosen.mean() == pytest.approx(p, abs=0.15)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_an_erased_rectangle_is_torchvisions(shape, p):
    pixels, index = images_of(shape), np.arange(40) * 3
    numbers = numbers_of(index, 23)
    boxes = Erase.boxes(numbers[:, 1:], *shape[1:]).tolist()
    expected = [
        functional.erase(image, *box, v=torch.zeros(1, 1, 1, dtype=torch.uint8)) if number < p else image
        for image, box, number in zip(pixels, boxes, numbers[:, 0], strict=True)
    ]
    assert torch.equal(changed(Erase(p), pixels, index), torch.stack(expected))


def test_a_rectangle_is_that_worked_by_hand():
    # 0.175 of 784 pixels, and sides at the ratio of sqrt(0.3 * 3.3): 11.68 by 11.74, with 17 places for a corner.
    assert Erase.boxes(np.full((1, 22), 0.5), 28, 28).tolist() == [[8, 8, 12, 12]]
    # The first try is 29.2 by 8.9 pixels, which does not fit in; the second, 16.1 by 16.1, does.
    tries = np.array([0.25, 0.75, 1.0, 1.0, 1.0, 0.5, *[0.0] * 16])
    assert Erase.boxes(tries[None], 28, 28).tolist() == [[3, 9, 16, 16]]


def test_rectangles_are_as_large_and_lie_as_torchvisions():
    torch.manual_seed(0)
    erasing, blank = v2.RandomErasing(p=1.0), torch.zeros(1, 28, 28, dtype=torch.uint8)
    theirs = np.array([[erasing.make_params([blank])[k] for k in "ijhw"] for _ in range(4000)])
    ours = Erase.boxes(numbers_of(np.arange(4000), 22), 28, 28)
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.4)
    np.testing.assert_allclose(ours.std(0), theirs.std(0), atol=0.3)


@pytest.mark.parametrize("shape", SHAPES[:3])
@pytest.mark.parametrize(("operations", "magnitude"), [(1, 30), (2, 9), (3, 17)])
def test_rand_augment_is_torchvisions(shape, operations, magnitude):
    pixels, index = images_of(shape), np.arange(40) * 3
    theirs = v2.RandAugment(operations, magnitude)
    space, numbers = list(theirs._AUGMENTATION_SPACE.items()), numbers_of(index, 2 * operations)
    expected = []
    for image, own in zip(pixels, numbers.tolist(), strict=True):
        for number, sign in zip(own[::2], own[1::2], strict=True):
            name, (magnitudes, signed) = space[int(number * len(space))]
            strength = magnitudes(31, *shape[1:])
            strength = 0.0 if strength is None else float(strength[magnitude]) * (-1 if signed and sign < 0.5 else 1)
            image = theirs._apply_image_or_video_transform(image, name, strength, theirs.interpolation, theirs._fill)
        expected.append(image)
    assert torch.equal(changed(RandAugment(operations, magnitude), pixels, index), torch.stack(expected))


def test_an_image_is_changed_alike_in_any_batch():
    augmentation, pixels = Augmentation(EVERY, 5), images_of((3, 7, 5))
    whole = augmentation(pixels, np.arange(40), 2)
    order = np.random.default_rng(1).permutation(40)
    for part in (order, order[:7], order[7:8]):
        assert torch.equal(augmentation(pixels[part], part, 2), whole[part])


@pytest.mark.parametrize("transform", EVERY)
def test_epochs_seeds_and_places_in_the_list_have_draws_of_their_own(transform):
    pixels, index = images_of((1, 28, 28)), np.arange(40)
    made = [Augmentation([transform], seed)(pixels, index, epoch) for seed, epoch in [(0, 0), (0, 1), (1, 0)]]
    twice = Augmentation([transform, transform], 0)(pixels, index, 0)
    made.append(twice)
    assert all(not torch.equal(a, b) for i, a in enumerate(made) for b in made[:i])
    assert not torch.equal(twice, Augmentation([transform], 0)(made[0], index, 0))
    assert torch.equal(pixels, images_of((1, 28, 28)))
