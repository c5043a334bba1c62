"""Activations that a backward pass computes again, block by block, in place of keeping them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.core.errors import UserError

if TYPE_CHECKING:
    from torch import nn


def recompute(model: nn.Module, task: str) -> None:
    """Let a training step of ``model`` keep what enters each block alone (Chen et al., arXiv 1604.06174).

    The blocks are forwarded again in the backward pass, with the same dropout, so that gradients are the same to the bit. Looks
    and evaluation, which keep nothing, are as before.

    Raises:
        UserError: for a model without such blocks.
    """
    from transformers import PreTrainedModel

    body = next((m for m in model.modules() if isinstance(m, PreTrainedModel)), None)
    if body is None or not body.supports_gradient_checkpointing:
        kind = type(model if body is None else body).__name__
        raise UserError(
            f"params.yaml: tasks.{task}.training.checkpoint_activations: must be false for a model of class {kind}, whose "
            "blocks cannot be computed again, got true"
        )
    body.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
