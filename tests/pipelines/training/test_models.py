"""Models are built for the data and come back as saved; others are named."""

import pytest
import torch

from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training import models
from tests.pipelines.records import manifest as manifest_of
from tests.pipelines.records import model_plan
from tests.pipelines.weather import COLUMNS, TABLE, csv


def test_an_option_that_the_model_has_not_is_named_with_the_nearest(prepared, tmp_path):
    model = {"family": "small", "name": "table-mlp", "options": {"hiden": [8]}}
    manifest, _, _ = prepared(csv(tmp_path), COLUMNS, **TABLE, model=model)
    with pytest.raises(UserError, match=r"own\.model: options\.hiden: no such option of 'table-mlp', did you mean 'hidden'\?"):
        models.build(TrainingPlan.read(artifacts.plan_of("training")).model, manifest)


VIT = {"patch_size": 2, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8}


BAD_MODELS = {
    "unknown option": (
        "vit",
        VIT | {"num_layer": 2},
        r"options\.num_layer: no such option of 'vit', did you mean 'num_layers'\?",
    ),
    "no depth": ("vit", {"patch_size": 2}, r"options: 'vit' also needs num_layers, num_heads, hidden_dim, mlp_dim"),
    "patches": ("vit", VIT | {"patch_size": 3}, r"patch_size must divide a side of 8 pixels, got 3; .* works is 2"),
    "heads": ("vit", VIT | {"num_heads": 3}, r"embed_dim must be divisible by num_heads"),
    "unknown name": ("vitt", {}, r"'vitt': no such torchvision model, did you mean 'vit'\?"),
    "windows": ("swin", {"embed_dim": 8}, r"options: 'swin' also needs patch_size, depths, num_heads, window_size"),
}


@pytest.mark.parametrize(("name", "options", "said"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_a_vision_model_that_cannot_be_built_is_named(name, options, said):
    found = manifest_of(kind="image", shape=[1, 8, 8], outputs=10)
    with pytest.raises(UserError, match=said):
        models.build(model_plan(family="torchvision", name=name, options=options), found)


def test_a_small_model_is_built_for_its_data_and_comes_back_from_its_folder(tmp_path):
    planned = model_plan(family="small", name="table-mlp", options={"hidden": [6]})
    first, second = (models.build(planned, manifest_of(shape=[4], outputs=2)) for _ in range(2))
    assert [tuple(p.shape) for p in first.parameters()] == [(6, 4), (6,), (2, 6), (2,)]
    models.save(first, tmp_path, planned)
    rows = torch.rand(3, 4)
    assert not torch.equal(first(input=rows), second(input=rows))
    models.load_weights(second, tmp_path)
    assert torch.equal(first(input=rows), second(input=rows))
    other = models.build(planned, manifest_of(shape=[5], outputs=2))
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be loaded: "):
        models.load_weights(other, tmp_path)


def test_images_that_are_not_square_are_named_with_their_sizes():
    found = manifest_of(kind="image", shape=[3, 8, 9])
    with pytest.raises(UserError, match=r"tasks\.toy\.model: takes square images, got 8 x 9; set image_size"):
        models.build(model_plan(family="small", name="cnn"), found)
