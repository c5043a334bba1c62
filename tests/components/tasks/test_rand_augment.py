"""Operations are torchvision's to the byte, for one image or many, at every magnitude."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from components.tasks import rand_augment
from components.tasks.rand_augment import OPERATIONS, operated

THEIRS = v2.RandAugment()
NAMES = list(THEIRS._AUGMENTATION_SPACE)


@pytest.mark.parametrize("place", range(14), ids=NAMES)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 7, 5), (3, 33, 31)], ids=str)
def test_an_operation_is_torchvisions(place, shape):
    images = torch.from_numpy(np.random.default_rng(place).integers(0, 256, (9, *shape), dtype=np.uint8))
    make, signed = THEIRS._AUGMENTATION_SPACE[NAMES[place]]
    for magnitude in range(0, 31, 3):
        for negative in (False, True):
            strength = make(31, *shape[1:])
            strength = 0.0 if strength is None else float(strength[magnitude]) * (-1 if signed and negative else 1)
            expected = [
                THEIRS._apply_image_or_video_transform(image, NAMES[place], strength, THEIRS.interpolation, THEIRS._fill)
                for image in images
            ]
            found = operated(images, np.full(9, place), np.full(9, negative), magnitude)
            assert torch.equal(found, torch.stack(expected))


def test_there_are_as_many_as_torchvisions():
    assert len(OPERATIONS) == len(NAMES)
    assert [operation.signed for operation in OPERATIONS] == [THEIRS._AUGMENTATION_SPACE[name][1] for name in NAMES]


@pytest.mark.parametrize(("most", "alone"), [(15, True), (16, False)])
def test_images_too_large_to_be_summed_exactly_go_alone(monkeypatch, most, alone):
    seen = []
    spy = rand_augment.Operation(lambda images, _: seen.append(len(images)) or images)
    monkeypatch.setattr(rand_augment, "OPERATIONS", (spy,))
    monkeypatch.setattr(rand_augment, "SUMMED", most)
    operated(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), np.zeros(3, np.int64), np.zeros(3, bool), 9)
    assert seen == ([1, 1, 1] if alone else [3])
