"""Image models that normalise their inputs themselves, and their frozen parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation by channel, in [0, 255]."""

    mean: Sequence[float]
    deviation: Sequence[float]

    def of_channels(self, channels: int) -> Scale:
        """Return the scale of a model of ``channels``, each the average over channels if there are others."""
        if len(self.mean) == channels:
            return self
        average = [sum(values) / len(values) for values in (self.mean, self.deviation)]
        return Scale([average[0]] * channels, [average[1]] * channels)


class Normalised(nn.Module):
    """An image model behind images that were scaled in another way; its input is called ``input``.

    Grey images become as many equal channels as ``own`` has. Frozen modules stay in evaluation mode even in training.

    Attributes:
        body: takes images ``(B, C, height, width)``; returns logits ``(B, classes)``, or an object with them as ``logits``.
        size: of the square images that it was built for.
    """

    factor: Tensor | None
    offset: Tensor | None

    def __init__(self, body: nn.Module, size: int, given: Scale | None = None, own: Scale | None = None, **more: bool) -> None:
        """Wrap ``body``, whose images are normalised by ``own`` and arrive normalised by ``given``, of one channel.

        Args:
            body: the model.
            size: of the images.
            given: mean and deviation of the images that arrive.
            own: mean and deviation by channel of those that ``body`` was trained on; None to pass images on as they are.
            more: further arguments of ``body``.
        """
        super().__init__()
        self.body, self.size, self._more, self._frozen = body, size, more, list[str]()
        factor = offset = None
        if given is not None and own is not None:
            (mean,), (deviation,) = given.mean, given.deviation
            pairs = list(zip(own.mean, own.deviation, strict=True))
            factor = torch.tensor([deviation / d for _, d in pairs])[:, None, None]
            offset = torch.tensor([(mean - m) / d for m, d in pairs])[:, None, None]
        # No part of the weights: the model is built with them.
        self.register_buffer("factor", factor, persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Return logits ``(B, classes)`` of images ``(B, C, height, width)``."""
        if self.factor is not None and self.offset is not None:
            input = input * self.factor + self.offset
        output = self.body(input, **self._more)
        return torch.as_tensor(getattr(output, "logits", output))

    def freeze(self, frozen: Iterable[nn.Parameter]) -> None:
        """Freeze the parameters ``frozen``, and hold modules without trained ones in evaluation mode."""
        for parameter in frozen:
            parameter.requires_grad_(False)
        self._frozen = [name for name, module in self.named_modules() if _is_frozen(module)]
        self.train(self.training)

    def train(self, mode: bool = True) -> Normalised:
        """Set the mode of all modules but the frozen ones."""
        super().train(mode)
        for name in self._frozen:
            self.get_submodule(name).train(False)
        return self


def _is_frozen(module: nn.Module) -> bool:
    known = list(module.parameters())
    return bool(known) and not any(p.requires_grad for p in known)


def check_images(model: nn.Module, channels: int, size: int, outputs: int) -> None:
    """Check that ``model`` gives ``outputs`` values for each of two images of zeros, and leave it in training mode.

    Raises:
        ValueError: if it does not take images of that size.
    """
    what = f"images of {channels} x {size} x {size}"
    try:
        with torch.no_grad():
            found = model.eval()(torch.zeros(2, channels, size, size))
    except Exception as error:  # models raise anything for a size that they do not take
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"does not take {what}: {reason}; set another image_size") from None
    model.train()
    if found.shape != (2, outputs):
        raise ValueError(f"must give {outputs} values for each of {what}, got {list(found.shape[1:])}")
