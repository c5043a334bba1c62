"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def build_optimizer(model: nn.Module, name: str, learning_rate: float, **options: float | bool) -> torch.optim.Optimizer:
    """Return the optimizer ``name`` over the unfrozen parameters of ``model``."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return OPTIMIZERS[name](trained, lr=learning_rate, **options)


def bare_step(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """Return the step of ``optimizer`` without PyTorch's hook and profiler wrapper, which takes 0.1 ms per step."""
    step = type(optimizer).step
    return partial(getattr(step, "__wrapped__", step) if getattr(step, "hooked", False) else step, optimizer)
