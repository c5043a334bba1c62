"""Transformers models of images see them as they were trained on, and get the head of the task."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.core.errors import UserError
from pipelines.training import models
from tests.pipelines.records import manifest, model_plan
from tests.pipelines.vision_encoders import resnet, saved_at, swin, vit


def images(channels=3, size=16, classes=("a", "b", "c"), **more):
    facts = {"kind": "image", "shape": [channels, size, size], "mean": 70.0, "deviation": 90.0}
    return manifest(**{**facts, "outputs": len(classes) or 1, "classes": list(classes), **more})


def built(source, found=None, **model):
    return models.build(model_plan(family="transformers", source=source, **model), found or images())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("build", [vit, swin, resnet])
def test_it_says_of_an_image_what_it_says_by_its_own_processor(tmp_path, build, channels):
    from transformers import AutoImageProcessor

    model, source = saved_at(tmp_path / "encoder", build)
    ours = built(source, images(channels, classes="abcdefg")).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, channels, 16, 16), np.uint8)
    coloured = list(np.repeat(pixels, 3 // channels, axis=1).transpose(0, 2, 3, 1))
    given = AutoImageProcessor.from_pretrained(source["folder"])(coloured, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(ours(input=(torch.tensor(pixels).float() - 70) / 90), model(**given).logits)


@pytest.mark.parametrize("build", [vit, swin, resnet])
def test_it_comes_back_from_its_folder_and_transformers_reads_it(tmp_path, build):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    _, source = saved_at(tmp_path / "encoder", build)
    plan = model_plan(family="transformers", source=source)
    first, second = (models.build(plan, images(size=32)).eval() for _ in range(2))
    models.save(first, tmp_path / "out", plan)
    models.load_weights(second, tmp_path / "out")
    rows = torch.randn(2, 3, 32, 32)
    assert torch.equal(first(rows), second(rows))
    read = AutoModelForImageClassification.from_pretrained(tmp_path / "out")
    assert read.config.id2label == {0: "a", 1: "b", 2: "c"}
    positions = {} if build is resnet else {"interpolate_pos_encoding": True}
    torch.testing.assert_close(read(rows * first.factor + first.offset, **positions).logits, first(rows))
    assert dict(AutoImageProcessor.from_pretrained(tmp_path / "out").size) == {"height": 32, "width": 32}
    (tmp_path / "out" / "model.safetensors").write_bytes(b"none")
    with pytest.raises(UserError, match=r"out: cannot be loaded: "):
        models.load_weights(second, tmp_path / "out")


@pytest.mark.parametrize("build", [vit, swin])
@pytest.mark.parametrize("size", [16, 24])
def test_a_head_of_other_classes_is_replaced_and_the_rest_is_as_saved(tmp_path, build, size):
    model, source = saved_at(tmp_path / "encoder", build)
    for found in (images(size=size), images(1, size, (), target="number")):
        ours = built(source, found)
        assert ours.training
        assert ours.body.config.num_labels == found.outputs
        whole = model.state_dict()
        kept = [torch.equal(v, whole[k]) for k, v in ours.body.state_dict().items() if not k.startswith("classifier")]
        assert len(kept) > 30
        assert all(kept)


def test_several_numbers_are_the_names_of_a_regressions_outputs(tmp_path):
    _, source = saved_at(tmp_path / "encoder", vit)
    scales = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in ("wide", "high")]
    ours = built(source, images(1, 16, (), target="numbers", outputs=2, label_scales=scales))
    config = ours.body.config
    assert (config.id2label, config.problem_type) == ({0: "wide", 1: "high"}, "regression")
    assert ours(torch.randn(3, 1, 16, 16)).shape == (3, 2)


@pytest.mark.parametrize(
    ("build", "last"), [(vit, "vit.layers.1."), (swin, "swin.encoder.layers.1."), (resnet, "resnet.encoder.stages.1.")]
)
def test_all_but_the_head_or_the_last_blocks_are_frozen(tmp_path, build, last):
    _, source = saved_at(tmp_path / "encoder", build)
    for count in (0, 1):
        ours = built(source, train_layers=count)
        trained = [n.removeprefix("body.") for n, p in ours.named_parameters() if p.requires_grad]
        above = [n for n in trained if not n.startswith("classifier")]
        assert trained[-1].startswith("classifier")
        assert bool(above) == bool(count)
        assert all(n.startswith((last, f"{ours.body.base_model_prefix}.layernorm")) for n in above)
        assert ours.train().body.base_model.training == bool(count)
        assert not next(m for m in ours.modules() if isinstance(m, torch.nn.Conv2d)).training
    with pytest.raises(UserError, match=r"train_layers must be in \[0, 2\], got 3; the nearest that works is 2"):
        built(source, train_layers=3)


def other(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def no_processor(folder):
    (folder / "preprocessor_config.json").unlink()


def oblong(folder):
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"width": 16', '"width": 24'))


def other_names(folder):
    state = load_file(folder / "model.safetensors")
    save_file({k.replace("encoder.layer.0", "other.0"): v for k, v in state.items()}, folder / "model.safetensors")


BAD = {
    "no processor": (no_processor, r"encoder: has no preprocessor_config\.json, by which its images are scaled"),
    "no square": (oblong, r"encoder: its preprocessor_config\.json must resize to a square, got \{'height': 16, 'width': 24\}"),
    "another's weights": (other_names, r"encoder: its weights are another model's .*: they lack vit\.\S+ and 15 more"),
    "another width": (lambda f: other(f, hidden_size=32), r"encoder: the model cannot be loaded: vit\.\S+ is of size \["),
    "no model of images": (lambda f: other(f, model_type="bert"), r"encoder: the model cannot be loaded: "),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_a_folder_that_cannot_be_used_is_named(tmp_path, spoil, said):
    _, source = saved_at(tmp_path / "encoder", vit)
    spoil(tmp_path / "encoder")
    with pytest.raises(UserError, match=said):
        built(source)


def test_images_that_do_not_fit_the_model_are_named(tmp_path):
    _, grey = saved_at(tmp_path / "grey", lambda: vit(num_channels=1))
    assert built(grey, images(1)).factor.shape == (1, 1, 1)
    with pytest.raises(UserError, match=r"tasks\.toy\.model: takes images of 1 channels, got 3"):
        built(grey)
    with pytest.raises(UserError, match=r"tasks\.toy\.model: does not take images of 3 x 2 x 2: .*; set another image_size"):
        built(saved_at(tmp_path / "encoder", vit)[1], images(size=2))


def test_the_first_blocks_alone_where_a_model_is_cut_so(tmp_path):
    _, source = saved_at(tmp_path / "encoder", vit)
    assert len(built(source, num_hidden_layers=1).body.vit.layers) == 1
    _, source = saved_at(tmp_path / "swin", swin)
    with pytest.raises(UserError, match=r"num_hidden_layers: must be the 2 blocks of this model or left out, got 1"):
        built(source, num_hidden_layers=1)
