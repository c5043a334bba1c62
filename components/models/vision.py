"""Untrained torchvision models, adapted to images of any size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

#: Models built by torchvision's class from given sizes.
SIZED = {"swin": "SwinTransformer", "vit": "VisionTransformer"}


class Named(nn.Module):
    """Wraps a model with a positional input into one whose input is called ``input``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, input: Tensor) -> Tensor:
        """Return logits ``(B, C)``."""
        return torch.as_tensor(self.body(input))


def vision(name: str, channels: int, size: int, classes: int, options: dict[str, Any]) -> nn.Module:
    """Return the torchvision model ``name``, untrained, with a first layer adapted to small images.

    Args:
        name: as in ``torchvision.models.list_models()``, or one of ``SIZED``, whose sizes are all in ``options``.
        channels: of the images.
        size: of the images; at 64 or less a ResNet's stem neither strides nor pools; a ViT is built for this size.
        classes: C, or 1 for a number.
        options: passed on to torchvision.

    Raises:
        ValueError: for a name unknown to torchvision, or patches that do not fill an image.
    """
    from torchvision import models

    if name.startswith("vit"):
        options = {"image_size": size, **options}
    if name == "vit":
        _check_patches(options["image_size"], options["patch_size"])
    build = sized(name) if name in SIZED else partial(models.get_model, name, weights=None)
    model = build(num_classes=classes, **options)
    _fit_stem(model, channels, small=size <= 64)
    return Named(model)


def sized(name: str) -> Callable[..., nn.Module]:
    """Return torchvision's class for the model ``name`` of ``SIZED``."""
    from torchvision import models

    build: Callable[..., nn.Module] = getattr(models, SIZED[name])
    return build


def _check_patches(size: int, patch: int) -> None:
    if size % patch:
        fit = [p for p in range(1, size + 1) if size % p == 0]
        nearest = min(fit, key=lambda p: abs(p - patch))
        raise ValueError(f"patch_size must divide a side of {size} pixels, got {patch}; the nearest that works is {nearest}")


def _fit_stem(model: nn.Module, channels: int, *, small: bool) -> None:
    """Make the first convolution take ``channels``, and keep the resolution of ``small`` images if possible."""
    name, first = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    residual = name == "conv1"
    if first.in_channels == channels and not (small and residual):
        return
    kernel, stride, padding = (3, 1, 1) if small and residual else (first.kernel_size, first.stride, first.padding)
    stem = nn.Conv2d(channels, first.out_channels, kernel, stride, padding, bias=first.bias is not None)  # type: ignore[arg-type]
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, stem)
    if small and residual:
        model.maxpool = nn.Identity()
