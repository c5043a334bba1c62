"""Sizes of a run: of its batches and looks, by the settings and the method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.run_position import Plan
from pipelines.training import builders

if TYPE_CHECKING:
    import torch

    from components.selection.selector import Selector
    from pipelines.config.schema.training import Training


def run_plan(settings: Training, selector: Selector, chosen: torch.device, first: int, seed: int) -> Plan:
    """Return the sizes and seed of a run of ``selector``, whose first epoch after the warm-up is ``first``."""
    return Plan(
        epochs=settings.epochs, batch_size=settings.batch_size, refill=settings.refill, seed=seed, first=first,
        look_size=settings.look_size or selector.look_size(selector.batch_of(settings.batch_size, 1.0)),
        look_batch=builders.look_batch(settings, chosen),
    )  # fmt: skip
