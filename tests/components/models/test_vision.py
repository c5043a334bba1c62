import pytest
import torch
from torch import nn

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.models.vision import vision

VIT = {"patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
SWIN = {"patch_size": [2, 2], "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": [2, 2]}


def trains(model, channels, size, classes=5):
    """Return whether ``model``, called by keyword, gives logits whose gradient reaches its first parameter."""
    model.train()
    logits = model(input=torch.randn(4, channels, size, size))
    assert logits.shape == (4, classes)
    logits.sum().backward()
    return bool(next(model.parameters()).grad.abs().sum() > 0)


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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize(("name", "options"), [("vit", VIT), ("swin", SWIN)])
def test_transformers_of_any_size_take_small_images(name, options, size, channels):
    torch.manual_seed(0)
    model = vision(name, channels, size, 5, options)
    if name == "vit":
        nn.init.normal_(model.body.heads.head.weight)  # zero as it comes, which would stop every gradient
    assert trains(model, channels, size)


def test_a_vit_is_of_the_size_that_is_asked_for():
    body = vision("vit", 1, 28, 10, VIT | {"patch_size": 7, "num_layers": 3, "hidden_dim": 64, "mlp_dim": 128}).body
    assert (len(body.encoder.layers), body.hidden_dim, body.seq_length, body.image_size) == (3, 64, 17, 28)
    # A layer: attention 4 * 64 * 64 + 4 * 64, the two linear ones 2 * 64 * 128 + 128 + 64, two norms 4 * 64.
    layer = 4 * 64 * 64 + 4 * 64 + 2 * 64 * 128 + 128 + 64 + 4 * 64
    around = (49 * 64 + 64) + 64 + 17 * 64 + 2 * 64 + (64 * 10 + 10)
    assert sum(p.numel() for p in body.parameters()) == 3 * layer + around


def test_patches_that_do_not_fill_an_image():
    with pytest.raises(ValueError, match="must divide a side of 28 pixels, got 6; the nearest that works is 7"):
        vision("vit", 1, 28, 10, VIT | {"patch_size": 6})


@pytest.fixture
def deterministic():
    """Refuse kernels that do not repeat, as stages do on a CPU."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode(before)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("resnet18", {}), ("vit", VIT), ("swin", SWIN)])
def test_models_learn_small_images_with_kernels_that_repeat(deterministic, make_images, make_rows, name, options):
    examples = make_images(n=16, size=8)
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        model = vision(name, 1, 8, 4, options)
        learner = Learner(model, build_optimizer(model, "adamw", 3e-3), lambda epoch: 1.0)
        batch = examples.fetch(make_rows(range(16)), torch.device("cpu"))
        losses.append([learner.step(batch, 0).total_loss for _ in range(6)] + [learner.look(batch).total_loss])
    assert losses[0] == losses[1]
    assert losses[0][5] < losses[0][0]
