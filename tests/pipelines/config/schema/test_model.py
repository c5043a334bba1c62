"""Models that a task may name, and what is refused of them."""

import pytest
from pydantic import ValidationError

from pipelines.config.schema.model import Small, Vision
from tests.pipelines.records import model_plan

TASK = "tasks.movie-reviews"
BAD = {
    "unknown model": ({"task": "digits", "tasks.digits.model.name": "lenett"}, r"model.name: .*'lenet'.*got 'lenett'"),
    "an order of no weights": (
        {"task": "digits", "tasks.digits.model": {"family": "timm", "name": "resnet18", "keys": "by-order"}},
        r"model.timm: keys: is for pretrained weights, and there is no source; name one, or leave keys out",
    ),
    "frozen layers of no weights": (
        {"task": "digits", "tasks.digits.model": {"family": "timm", "name": "resnet18", "train_layers": 0}},
        r"model.timm: train_layers: is for pretrained weights, and there is no source",
    ),
    "a text by timm": (
        {f"{TASK}.model": {"family": "timm", "name": "resnet18"}},
        r"model.family: a task of kind 'text' takes 'transformers', got 'timm'",
    ),
    "unknown family": ({f"{TASK}.model.family": "torch"}, r"model: .*'torch'.*'transformers'"),
    "adapters of an untrained model": (
        {"task": "brown", "tasks.brown.model.lora": {"rank": 8}},
        r"brown.*model.*'lora': no such key",
    ),
    "adapters of an untrained model of timm": (
        {"task": "digits", "tasks.digits.model": {"family": "timm", "name": "resnet18", "lora": {"rank": 8}}},
        r"digits\.model.*lora: is for pretrained weights, and there is no source; name one, or leave lora out",
    ),
    "adapters of no rank": (
        {f"{TASK}.model.lora": {"rank": 0}},
        r"movie-reviews.*model.lora.rank: must be greater than 0, got 0; the nearest that works is 1",
    ),
    "adapters with another key": (
        {f"{TASK}.model.lora": {"target": ["query"]}},
        r"movie-reviews.*model.lora: 'target': no such key, did you mean 'targets'\?",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


@pytest.mark.parametrize(("width", "heads", "nearest"), [(33, 4, 32), (35, 4, 36), (1, 4, 4)])
def test_heads_share_the_width(width, heads, nearest):
    said = rf"width: must be a multiple of the {heads} heads, got {width}; the nearest that works is {nearest}"
    with pytest.raises(ValidationError, match=said):
        model_plan(family="gpt", layers=2, width=width, heads=heads)
    assert model_plan(family="gpt", layers=2, width=nearest, heads=heads).width == nearest


def test_a_model_is_of_the_kind_that_its_family_says():
    found = [model_plan(family="small", name="bag"), model_plan(family="torchvision", name="vit")]
    assert [type(model) for model in found] == [Small, Vision]
