import pytest
import torch
from torch import nn

from components.models import SMALL, freeze_all_but_last, vision


def trains(model, channels, size, classes=5):
    """Return whether ``model``, called by keyword, gives logits whose gradient reaches its first parameter."""
    model.train()
    logits = model(input=torch.randn(4, channels, size, size))
    assert logits.shape == (4, classes)
    logits.sum().backward()
    return bool(next(model.parameters()).grad.abs().sum() > 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_models_take_small_images(name, size, channels):
    torch.manual_seed(0)
    if name == "lenet" and size == 8:
        with pytest.raises(ValueError, match="16 x 16 or more, got 8 x 8"):
            SMALL[name](channels, size, 5)
        return
    assert trains(SMALL[name](channels, size, 5), channels, size)


def test_lenet_is_the_size_it_says():
    assert sum(p.numel() for p in SMALL["lenet"](1, 28, 10).parameters()) == 61_706
    assert SMALL["lenet"](1, 16, 5)(input=torch.randn(2, 1, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 28), (1, 32)])
def test_resnet18_keeps_the_resolution_of_small_images(channels, size):
    torch.manual_seed(0)
    model = vision("resnet18", channels, size, 5, {})
    assert (model.body.conv1.in_channels, model.body.conv1.stride) == (channels, (1, 1))
    shapes = []
    model.body.layer1.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[-2:]))
    assert trains(model, channels, size)
    assert shapes == [(size, size)]


def test_resnet18_on_large_images_is_torchvisions_but_for_the_channels():
    body = vision("resnet18", 1, 96, 5, {}).body
    assert (body.conv1.in_channels, body.conv1.kernel_size, body.conv1.stride) == (1, (7, 7), (2, 2))
    assert isinstance(body.maxpool, nn.MaxPool2d)
    assert (body.conv1.bias is None, body.fc.out_features) == (True, 5)


@pytest.fixture
def small_transformers():
    """Two small models under names of torchvision's, told their size as its own are."""
    from torchvision import models
    from torchvision.models import _api

    @_api.register_model()
    def vit_toy(*, weights=None, image_size=224, **options):
        model = models.VisionTransformer(image_size, 4, 1, 2, 16, 32, **options)
        nn.init.normal_(model.heads.head.weight)  # zero as it comes, which would stop every gradient
        return model

    @_api.register_model()
    def swin_toy(*, weights=None, **options):
        return models.SwinTransformer([2, 2], 12, [1, 1], [2, 2], [2, 2], **options)

    yield
    for name in ("vit_toy", "swin_toy"):
        _api.BUILTIN_MODELS.pop(name)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("name", ["vit_toy", "swin_toy"])
def test_vision_transformers_take_small_images(small_transformers, name, size, channels):
    torch.manual_seed(0)
    model = vision(name, channels, size, 5, {})
    assert trains(model, channels, size)
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    assert first.in_channels == channels
    assert first.stride == ((4, 4) if name == "vit_toy" else (2, 2))


def test_options_reach_torchvision(small_transformers):
    assert vision("vit_toy", 3, 8, 5, {"dropout": 0.25}).body.encoder.dropout.p == 0.25
    assert vision("vit_toy", 3, 8, 5, {"image_size": 16}).body.image_size == 16


def test_a_name_that_torchvision_does_not_know():
    with pytest.raises(ValueError, match="resnet17"):
        vision("resnet17", 3, 32, 5, {})


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_all_but_the_last_blocks_are_frozen(make_bert, layers):
    model = make_bert(layers=3)
    freeze_all_but_last(model, layers)
    free = {n for n, p in model.named_parameters() if p.requires_grad}
    blocks = {n.split(".")[3] for n in free if ".encoder.layer." in n}
    assert blocks == {str(i) for i in range(3 - layers, 3)}
    assert {n.split(".")[0] for n in free if ".encoder." not in n} == {"bert", "classifier"}
    assert not any("embeddings" in n for n in free)
    assert any("pooler" in n for n in free)


def test_blocks_are_found_in_another_architecture_and_in_a_model_of_one():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    for layers in (1, 2):
        config = DistilBertConfig(vocab_size=30, dim=16, hidden_dim=32, n_heads=2, n_layers=layers, max_position_embeddings=8)
        model = DistilBertForSequenceClassification(config)
        freeze_all_but_last(model, 1)
        free = {n for n, p in model.named_parameters() if p.requires_grad}
        assert {n.split(".")[3] for n in free if n.startswith("distilbert.transformer.layer")} == {str(layers - 1)}
        assert not any("embeddings" in n for n in free)
        assert any(n.startswith("pre_classifier") for n in free)


def test_more_blocks_than_there_are_or_none_at_all(make_bert):
    with pytest.raises(ValueError, match=r"train_layers must be in \[0, 2\], got 3; the nearest that works is 2"):
        freeze_all_but_last(make_bert(), 3)
    with pytest.raises(ValueError, match=r"train_layers must be in \[0, 0\], got 1"):
        freeze_all_but_last(nn.Linear(2, 2), 1)
