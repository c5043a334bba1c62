"""Models of images and sounds are adapted as those of texts are: adapters and head alone are trained, saved and merged."""

import warnings

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForAudioClassification, AutoModelForImageClassification

from pipelines.core.errors import UserError
from pipelines.training import models
from pipelines.training.models import adapters
from tests.pipelines import sound_encoders, vision_encoders
from tests.pipelines.records import manifest, model_plan

THREE = {"outputs": 3, "classes": ["a", "b", "c"]}
IMAGES = {"kind": "image", "shape": [3, 32, 32], "mean": 70.0, "deviation": 90.0, **THREE}
SIZES = {"img_size": 32, "embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8}
#: By name: what makes the model, its targets, a misspelt one, what that means, and what is trained beside adapters.
KINDS = {
    "vit": (vision_encoders.vit, ["q_proj", "v_proj"], "q_poj", "q_proj", {"classifier"}),
    "swin": (vision_encoders.swin, ["q_proj", "fc1"], "reductions", "reduction", {"classifier"}),
    "resnet": (vision_encoders.resnet, ["convolution"], "convolutions", "convolution", {"classifier.1"}),
    "ast": (sound_encoders.ast, ["q_proj", "v_proj"], "v_poj", "v_proj", {"classifier.dense", "classifier.layernorm"}),
    "conformer": (sound_encoders.conformer, ["linear_q"], "linear_ot", "linear_out", {"projector", "classifier"}),
    "timm": (None, ["qkv"], "qvk", "qkv", {"head"}),
    "timm resnet": (None, ["layer1.0.conv1", "conv2"], "layer1.0.conv11", "layer1\\.0\\.conv1", {"fc"}),
}
every_kind = pytest.mark.parametrize("name", KINDS)


@pytest.fixture
def adapted(tmp_path):
    """Build a saved model with adapters, all that is trained moved a little; return it, its plan, its manifest and an input."""

    def build(name, **lora):
        make, targets, *_ = KINDS[name]
        more, facts = {"lora": {"rank": 2, "alpha": 6.0, "targets": targets} | lora}, manifest(**IMAGES)
        torch.manual_seed(0)
        if make is None:
            named = "test_resnet" if "resnet" in name else "vit_tiny_patch16_224"
            options = {} if "resnet" in name else {k: v for k, v in SIZES.items() if k != "img_size"}
            save_file(
                timm.create_model(named, num_classes=7, **(options and SIZES)).state_dict(), tmp_path / "model.safetensors"
            )
            more |= {"name": named, "options": options, "family": "timm"}
            source = {"from": "folder", "folder": str(tmp_path / "model.safetensors")}
        elif make in (sound_encoders.ast, sound_encoders.conformer):
            *_, source = sound_encoders.saved_at(tmp_path / "encoder", make)
            facts = manifest(kind="audio", shape=[24, 16] if name == "ast" else [1600], **THREE)
        else:
            _, source = vision_encoders.saved_at(tmp_path / "encoder", make)
        plan = model_plan(**{"family": "transformers", "source": source} | more)
        model = models.build(plan, facts)
        with torch.no_grad():
            for parameter in (p for p in model.parameters() if p.requires_grad):
                parameter.add_(torch.randn_like(parameter) / 4)
        return model.eval(), plan, facts, torch.randn(2, *facts.shape)

    return build


def logits(model, rows):
    with torch.no_grad():
        return model.eval()(rows)


@every_kind
def test_adapters_and_the_head_are_all_that_is_trained_and_saved(adapted, tmp_path, name):
    model, plan, facts, rows = adapted(name)
    trained = {n.removeprefix("body.") for n, p in model.named_parameters() if p.requires_grad}
    assert {n.rpartition(".")[0] for n in trained if ".lora_" not in n} - {""} == KINDS[name][4]
    assert any(".lora_A" in n for n in trained)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    model.train()(rows).sum().backward()
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())  # of batch norms too
    folder = tmp_path / "out"
    folder.mkdir()
    models.save(model, folder, plan)
    assert {p.name for p in folder.iterdir()} == {adapters.WEIGHTS, adapters.CONFIG}
    assert sum(t.numel() for t in load_file(folder / adapters.WEIGHTS).values()) == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
    torch.manual_seed(9)
    again = models.build(plan, facts)
    models.load_weights(again, folder)
    assert torch.equal(logits(again, rows), logits(model, rows))


@every_kind
def test_merged_they_are_a_plain_model_with_the_same_logits(adapted, tmp_path, name):
    model, plan, facts, rows = adapted(name)
    folder = tmp_path / "out"
    folder.mkdir()
    models.save(model, folder, plan)
    plain = models.build(models.without_adapters(plan), facts)
    assert not any("lora" in n for n, _ in plain.named_parameters())
    with models.whole(folder, plan, facts) as place:
        models.load_weights(plain, place)
        merged = models.build(plan, facts)
        models.load_weights(merged, place)
        if plan.family == "transformers":
            kind = AutoModelForAudioClassification if facts.kind == "audio" else AutoModelForImageClassification
            kind.from_pretrained(place)  # as transformers reads it, without a key too many or too few
    expected = logits(model, rows)
    torch.testing.assert_close(logits(plain, rows), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits(merged, rows), expected, rtol=1e-4, atol=1e-5)


def test_peft_makes_the_same_model_of_the_base_and_what_is_saved(adapted, tmp_path):
    from peft import PeftModel

    model, plan, facts, rows = adapted("vit")
    folder = tmp_path / "out"
    folder.mkdir()
    models.save(model, folder, plan)
    base = models.build(models.without_adapters(plan), facts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base.body = PeftModel.from_pretrained(base.body, folder)
    torch.testing.assert_close(logits(base, rows), logits(model, rows), rtol=0, atol=0)


@every_kind
def test_a_target_that_is_not_there_is_named_with_the_nearest(adapted, name):
    _, _, typed, meant, _ = KINDS[name]
    with pytest.raises(UserError, match=rf"model: lora\.targets: '{typed}': no such module, did you mean '{meant}'"):
        adapted(name, targets=[typed])
    with pytest.raises(
        UserError, match=r"model: lora\.rank: must be in \[1, \d+\], .*, got 999; the nearest that works is \d+"
    ):
        adapted(name, rank=999)


def test_without_targets_those_that_could_be_are_named(adapted):
    with pytest.raises(
        UserError, match=r"lora\.targets: peft has no default for 'vit'; name one or more of .*, q_proj, v_proj"
    ):
        adapted("vit", targets=None)
