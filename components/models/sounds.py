"""Small models of sounds, untrained, that take features of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

#: Logit of a token in a frame that is sure of another: so small that no loss hears of it, and finite in half precision.
NEVER = -1e4


class _Residual(nn.Module):
    """Two convolutions of 3 x 3 with batch norm beside a shortcut (He et al., arXiv 1512.03385)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        same = channels == width and stride == 1
        shortcut = [] if same else [nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)]
        self.shortcut = nn.Sequential(*shortcut)
        self.active = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.active(self.body(maps) + self.shortcut(maps))
        return found


class _MelCnn(nn.Module):
    """A residual network over bands and frames, and the mean over both."""

    def __init__(self, outputs: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(1, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        pairs = zip([first, *widths], widths, strict=False)
        self.stages = nn.Sequential(*(_Residual(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(pairs)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(widths[-1], outputs))

    def forward(self, input: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(input)))
        return logits


def mel_cnn(bands: int, frames: int, outputs: int, widths: Sequence[int] = (16, 32, 64), dropout: float = 0.0) -> nn.Module:
    """Return a residual network with a stage for each of ``widths``, for features ``(B, 1, bands, frames)``.

    Raises:
        ValueError: for features of fewer bands or frames than its strides, or without a stage.
    """
    if not widths:
        raise ValueError("options.widths: must name the channels of a stage, got none; the least that works is [16]")
    if min(bands, frames) < (least := 2 ** len(widths)):
        raise ValueError(f"mel-cnn needs {least} bands and frames or more for {len(widths)} stages, got {bands} x {frames}")
    return _MelCnn(outputs, widths, dropout)


def silenced(logits: Tensor, frames: Tensor, blank: int) -> Tensor:
    """Return logits ``(B, T, tokens)`` that are sure of the token ``blank`` from the frame ``frames`` ``(B,)`` on.

    A CTC loss over all T frames is then that over each example's own: every path goes on by blanks of probability 1.
    """
    sure = logits.new_full((logits.shape[-1],), NEVER)
    sure[blank] = 0
    there = torch.arange(logits.shape[1], device=logits.device) < frames[:, None]
    return torch.where(there[..., None], logits, sure)


#: Small models of sounds by name: ``(bands, frames, classes, **options) -> model``.
SOUNDS: dict[str, Callable[..., nn.Module]] = {"mel-cnn": mel_cnn}
