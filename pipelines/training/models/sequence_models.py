"""Builders of sequence-to-sequence models: pretrained, or an untrained T5; and their tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.schema.model import T5, Model, Transformer
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.training.models import adapters, pretrained_models

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase


def seq2seq(model: Transformer, manifest: Manifest) -> nn.Module:
    """Return the planned pretrained model with an encoder and a decoder.

    Raises:
        UserError: if it cannot be loaded.
    """
    # The cache is for generation, which asks for it.
    built, found = pretrained_models.loaded("AutoModelForSeq2SeqLM", model, {"use_cache": False}, other_head=False)
    if model.lora is not None:
        adapters.add(built, model.lora, found["missing_keys"])
    whole: nn.Module = built
    return whole


def t5(model: T5, manifest: Manifest) -> nn.Module:
    """Return an untrained T5 of the planned size for the prepared data."""
    from transformers import T5Config, T5ForConditionalGeneration

    pretrained.silence()
    config = T5Config(
        vocab_size=manifest.vocabulary,
        d_model=model.width,
        d_kv=model.width // model.heads,
        d_ff=4 * model.width,
        num_layers=model.layers,
        num_heads=model.heads,
        dropout_rate=model.dropout,
        pad_token_id=manifest.pad,
        eos_token_id=manifest.end,
        decoder_start_token_id=manifest.start,
        use_cache=False,
    )
    built: nn.Module = T5ForConditionalGeneration(config)
    return built


def tokenizer_of(plan: Model, trained: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a planned model: the one in the folder ``trained``, or of none there that of its source.

    A model without a source has it there, and one of instructions, whose tokenizer has a chat template then.
    """
    if isinstance(plan, Transformer) and not trained.exists():
        return pretrained.tokenizer(plan.source)
    return pretrained.tokenizer_in(trained)
