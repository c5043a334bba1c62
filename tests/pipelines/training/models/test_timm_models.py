"""Models of timm take weights of a file, by name or by order, and fit head and channels to the task."""

import json
import pickle
import re
import shutil

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from pipelines.core.errors import UserError
from pipelines.sources import hub_status
from pipelines.training import models
from tests.pipelines.records import manifest, model_plan

NAME = "test_resnet"


def images(channels=3, size=32, classes=5, **more):
    names = [str(i) for i in range(classes)]
    facts = {"kind": "image", "shape": [channels, size, size], "mean": 70.0, "deviation": 90.0}
    return manifest(**{**facts, "outputs": classes or 1, "classes": names, **more})


def built(found=None, **model):
    return models.build(model_plan(**{"family": "timm", "name": NAME, **model}), found or images())


def from_file(path):
    return {"from": "folder", "folder": str(path)}


@pytest.fixture
def saved(tmp_path):
    """Save an untrained model of timm with seven classes; return it and its file."""
    torch.manual_seed(0)
    model = timm.create_model(NAME, num_classes=7)
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
    path = tmp_path / "model.safetensors"
    save_file(model.state_dict(), path)
    return model.eval(), path


def normalised(pixels, mean=0.5, deviation=0.5):
    return (pixels / 255 - mean) / deviation


def test_its_logits_are_those_of_timm_on_images_that_it_was_trained_on(saved):
    model, path = saved
    ours = built(images(classes=7), source=from_file(path)).eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()
    with torch.no_grad():
        torch.testing.assert_close(ours((pixels - 70) / 90), model(normalised(pixels)), atol=1e-5, rtol=1e-4)


def test_a_head_of_other_classes_is_replaced_and_the_rest_is_as_saved(saved):
    model, path = saved
    ours, number = built(source=from_file(path)), built(images(classes=0, target="number"), source=from_file(path.parent))
    assert (ours.body.fc.out_features, number.body.fc.out_features) == (5, 1)
    for body in (ours.body, number.body):
        whole = model.state_dict()
        assert all(torch.equal(value, whole[key]) for key, value in body.state_dict().items() if not key.startswith("fc."))


def test_grey_images_are_taken_as_three_equal_channels(saved):
    model, path = saved
    ours = built(images(1, classes=7), source=from_file(path)).eval()
    assert ours.body.conv1[0].in_channels == 1
    pixels = torch.randint(0, 256, (2, 1, 32, 32)).float()
    with torch.no_grad():
        expected = model(normalised(pixels).expand(-1, 3, -1, -1))
        torch.testing.assert_close(ours((pixels - 70) / 90), expected, atol=1e-4, rtol=1e-4)


def test_the_description_beside_the_weights_says_how_images_are_scaled(saved):
    model, path = saved
    mean, deviation = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    path.with_name("config.json").write_text(json.dumps({"pretrained_cfg": {"mean": mean, "std": deviation}}))
    ours = built(images(classes=7), source=from_file(path.parent)).eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()
    by_channel = normalised(pixels, *(torch.tensor(v)[:, None, None] for v in (mean, deviation)))
    with torch.no_grad():
        torch.testing.assert_close(ours((pixels - 70) / 90), model(by_channel), atol=1e-4, rtol=1e-4)
    path.with_name("config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: cannot be read: "):
        built(source=from_file(path.parent))


def test_weights_of_the_hub_are_taken_with_their_description(saved, tmp_path, monkeypatch):
    _, path = saved
    commit, cached = "0" * 40, tmp_path / "hub" / "models--someone--net"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(path.parent, cached / "snapshots" / commit, ignore=lambda *_: ["hub"])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_status.away.cache_clear()
    described = json.dumps({"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}})
    for folder in (path.parent, cached / "snapshots" / commit):
        (folder / "config.json").write_text(described)
    of_hub = built(source={"from": "hub", "id": "someone/net", "revision": "main"}).state_dict()
    of_folder = built(source=from_file(path.parent)).state_dict()
    assert all(torch.equal(v, of_folder[k]) for k, v in of_hub.items() if not k.startswith("body.fc."))
    with pytest.raises(UserError, match=r"^someone/other: its model\.safetensors cannot be fetched: .*HF_HUB_OFFLINE is set$"):
        built(source={"from": "hub", "id": "someone/other", "revision": "main"})
    hub_status.away.cache_clear()


def test_it_comes_back_from_its_folder_and_timm_reads_it(saved, tmp_path):
    _, path = saved
    plan, found = model_plan(family="timm", name=NAME, source=from_file(path)), images()
    first, second = (models.build(plan, found).eval() for _ in range(2))
    (tmp_path / "out").mkdir()
    models.save(first, tmp_path / "out", plan)
    models.load_weights(second, tmp_path / "out")
    rows = torch.randn(2, 3, 32, 32)
    assert torch.equal(first(rows), second(rows))
    read = timm.create_model(NAME, num_classes=5, checkpoint_path=tmp_path / "out" / "model.safetensors").eval()
    torch.testing.assert_close(read(rows * first.factor + first.offset), first(rows))


def test_a_checkpoint_of_pytorch_is_read_without_its_pickles(saved, tmp_path):
    model, path = saved
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, tmp_path / "model.pth")
    by_file = [built(images(classes=7), source=from_file(p)).state_dict() for p in (path, tmp_path / "model.pth")]
    assert all(torch.equal(value, by_file[1][key]) for key, value in by_file[0].items())
    ran = tmp_path / "ran"

    class Runs:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    (tmp_path / "bad.pth").write_bytes(pickle.dumps({"fc.weight": Runs()}))
    with pytest.raises(UserError, match=r"bad\.pth: cannot be read as weights, without running a pickle: "):
        built(source=from_file(tmp_path / "bad.pth"))
    torch.save({"fc.weight": Runs()}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=r"bad\.pth: cannot be read as weights, without running a pickle: "):
        built(source=from_file(tmp_path / "bad.pth"))
    assert not ran.exists()


def test_tensors_of_other_names_are_taken_by_order(saved, tmp_path):
    model = timm.create_model(NAME)
    torch.save({f"net.{i}.{k.split('.')[-1]}": v for i, (k, v) in enumerate(model.state_dict().items())}, tmp_path / "a.pth")
    ours = built(images(1), source=from_file(tmp_path / "a.pth"), keys="by-order")
    whole = model.state_dict()
    for key, value in ours.body.state_dict().items():
        wanted = whole[key].sum(1, keepdim=True) if key == "conv1.0.weight" else whole[key]
        assert key.startswith("fc.") or torch.equal(value, wanted)


def other_order(state):
    return dict(sorted(state.items(), key=lambda pair: -pair[1].numel()))


def other_leaf(state):
    return {key.replace("weight", "scale"): value for key, value in state.items()}


def one_fewer(state):
    return dict(list(state.items())[:-1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_order, r"keys: by-order: tensor 1 is layer4\.0\.\S+ \[\d+, .*\], and the model has conv1\.0\.weight \[16, 3, "),
        (other_leaf, r"keys: by-order: tensor 1 is conv1\.0\.scale .*, and the model has conv1\.0\.weight"),
        (one_fewer, r"keys: by-order: has \d+ tensors, and the model \d+"),
    ],
)
def test_tensors_in_another_order_are_refused(tmp_path, change, said):
    torch.save(change(timm.create_model(NAME).state_dict()), tmp_path / "a.pth")
    with pytest.raises(UserError, match=said):
        built(source=from_file(tmp_path / "a.pth"), keys="by-order")


def test_a_file_that_sorts_its_tensors_cannot_be_taken_by_order(saved):
    _, path = saved
    with pytest.raises(UserError, match=r"model\.safetensors: keys: by-order: safetensors sorts its tensors; a file of torch"):
        built(source=from_file(path), keys="by-order")


BAD = {
    "a name": ({"name": "resnet81"}, r"tasks\.toy\.model: name: 'resnet81': no such timm model, did you mean 'resnet\d+'\?"),
    "a tag": ({"name": "resnet18.zz"}, r"name: 'resnet18\.zz': no such timm model, did you mean 'resnet18'\?"),
    "an option": ({"options": {"dropp": 0.1}}, r"unexpected keyword argument 'dropp'"),
}


@pytest.mark.parametrize(("model", "said"), BAD.values(), ids=BAD)
def test_what_timm_does_not_know_is_named(model, said):
    with pytest.raises(UserError, match=said):
        built(**model)


def test_weights_of_another_architecture_are_refused_by_the_first_tensors(saved):
    _, path = saved
    said = "model.safetensors: does not fit 'test_vit': it lacks cls_token, pos_embed, patch_embed.proj.weight and 75 more; "
    with pytest.raises(UserError, match=re.escape(said + "it has besides bn1.num_batches_tracked, ")) as caught:
        built(name="test_vit", source=from_file(path))
    assert "\n" not in str(caught.value)


def test_a_tensor_of_another_shape_and_one_too_few_are_named(saved, tmp_path):
    model, _ = saved
    state = model.state_dict()
    state["bn1.weight"] = torch.ones(5)
    del state["bn1.bias"]
    save_file(state, tmp_path / "other.safetensors")
    said = re.escape("it lacks bn1.bias; of another shape bn1.weight [5] for [32]")
    with pytest.raises(UserError, match=rf"other\.safetensors: does not fit 'test_resnet': {said}$"):
        built(source=from_file(tmp_path / "other.safetensors"))


def test_files_that_hold_no_weights_are_named(tmp_path):
    with pytest.raises(UserError, match=r"model\.safetensors: no such file; a model of timm takes the path of its weights"):
        built(source=from_file(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(UserError, match=r"model\.safetensors: is truncated or damaged"):
        built(source=from_file(tmp_path))
    torch.save({}, tmp_path / "empty.pth")
    with pytest.raises(UserError, match=r"empty\.pth: holds no weights"):
        built(source=from_file(tmp_path / "empty.pth"))


def test_all_but_the_last_layers_are_frozen(saved):
    _, path = saved
    trained = {}
    for count in (0, 1, 5):
        model = built(source=from_file(path), train_layers=count)
        trained[count] = {n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad}
        assert model.train().body.layer1.training == (count == 5)
    assert trained == {0: {"fc"}, 1: {"fc", "layer4"}, 5: {"fc", "conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}}
    with pytest.raises(UserError, match=r"train_layers must be in \[0, 5\], got 6; the nearest that works is 5"):
        built(source=from_file(path), train_layers=6)


def test_a_transformer_gets_the_size_of_the_images(saved):
    model = built(images(1, 48), name="test_vit")
    assert model.body.patch_embed.grid_size == (3, 3)
    assert model.factor is None
