"""Transforms and their arguments: bounds and unknown names are refused, with the nearest that works."""

import pytest

from pipelines.config.loader import load
from pipelines.config.schema.augment import Crop, Erase, Flip, RandAugment, Transform, padding_error

AUGMENT = "tasks.digits.training.augment"
HERE = r"^params.yaml: tasks.digits.training.augment.0"
BAD = {
    "a padding below 0": ({"crop": {"padding": -1}}, r".crop.padding: must be .* got -1; the nearest that works is 0$"),
    "half a pixel": ({"crop": {"padding": 0.5}}, r".crop.padding: .*valid integer.*, got 0.5$"),
    "a chance above 1": ({"flip": {"p": 1.5}}, r".flip.p: must be .* got 1.5; the nearest that works is 1.0$"),
    "a chance below 0": ({"erase": {"p": -0.1}}, r".erase.p: must be .* got -0.1; the nearest that works is 0.0$"),
    "a magnitude below 0": (
        {"rand-augment": {"magnitude": -1}},
        r".rand-augment.magnitude: must be .* got -1; the nearest that works is 0$",
    ),
    "a magnitude above all": (
        {"rand-augment": {"magnitude": 31}},
        r".rand-augment.magnitude: must be .* got 31; the nearest that works is 30$",
    ),
    "no operation": ({"rand-augment": {"operations": 0}}, r".*operations: .* got 0; the nearest that works is 1$"),
    "an unknown transform": (
        {"flop": {}},
        r": 'flop': no such key, did you mean 'flip'\? \(known: crop, erase, flip, rand-augment\)$",
    ),
    "an unknown argument": ({"crop": {"pading": 4}}, r".crop: 'pading': no such key, did you mean 'padding'\?"),
    "two at once": ({"crop": {}, "flip": {}}, r": must name one transform, got 2; the least that works is 'flip: {}'$"),
    "none": ({}, r": must name one transform, got 0; the least that works is 'flip: {}'$"),
    "a name alone": ("flip", r": must be a name with its arguments, got 'flip'; the nearest that works is 'flip: {}'$"),
}


@pytest.mark.parametrize(("transform", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, transform, text):
    refused({AUGMENT: [transform]}, HERE + text)


def test_a_padding_as_large_as_the_planned_images_is_refused(refused):
    task = {"kind": "image", "source": {"from": "folder", "folder": "data/pictures"}, "image_size": 8, "test": 0.2}
    task |= {"licence": "none", "citation": "none", "model": {"family": "small", "name": "mlp"}}
    training = {"epochs": 2, "batch_size": 8, "threads": 1, "augment": [{"flip": {}}, {"crop": {"padding": 8}}]}
    training |= {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "schedule": {"name": "linear", "ramp": 0.1, "hold": 2}}
    text = r"tasks.own: training.augment.1.crop.padding: must be under the 8 pixels of an image's side, got 8; .* works is 7$"
    refused({"tasks.own": task | {"training": training}}, text)


def test_transforms_are_read_in_order_with_their_defaults_and_dumped_as_written(write_params):
    given = [{"flip": {}}, {"crop": {"padding": 2}}, {"rand-augment": {}}, {"erase": {"p": 1}}, {"flip": {"p": 0.1}}]
    write_params({AUGMENT: given})
    read = load().tasks["digits"].training.augment
    assert [t.given for t in read] == [
        Flip(p=0.5),
        Crop(padding=2),
        RandAugment(operations=2, magnitude=9),
        Erase(p=1.0),
        Flip(p=0.1),
    ]
    dumped = [t.model_dump(mode="json", by_alias=True) for t in read]
    assert [list(d) for d in dumped] == [list(g) for g in given]
    assert [Transform.model_validate(d) for d in dumped] == read


@pytest.mark.parametrize(("padding", "fits"), [(0, True), (7, True), (8, False), (30, False)])
def test_a_padding_is_under_an_images_side(padding, fits):
    crop = [Transform(flip=Flip()), Transform(crop=Crop(padding=padding))]
    assert (padding_error(crop, 8) is None) == fits
