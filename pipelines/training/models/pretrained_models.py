"""Builders of transformers models: pretrained with a new head, or a GPT-2."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict

from pipelines.config.schema.model import Gpt, Transformer
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest
from pipelines.sources import pretrained
from pipelines.training.models import adapters

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

#: Name of a tensor, its saved shape, and its shape by the configuration.
Mismatch = tuple[str, Iterable[int], Iterable[int]]


class Loaded(TypedDict):
    """Names of tensors that the source lacks, or has in another shape."""

    missing_keys: Iterable[str]
    mismatched_keys: Iterable[Mismatch]


def transformer(model: Transformer, manifest: Manifest) -> nn.Module:
    """Return the planned transformers model, with a head for the prepared data.

    Raises:
        UserError: if it cannot be loaded.
    """
    from components.models.small import freeze_all_but_last

    language = manifest.target == "tokens"
    kind = "AutoModelForCausalLM" if language else "AutoModelForSequenceClassification"
    built, found = loaded(kind, model, _head(model, manifest), other_head=not language)
    if language:
        _check_context(built.config, manifest.block)
    if model.train_layers is not None:
        freeze_all_but_last(built, model.train_layers)
    if model.lora is not None:
        adapters.add(built, model.lora, _new_in(built, found, head=not language))
    return _called_by_keyword(built)


def loaded(kind: str, model: Transformer, head: Mapping[str, object], *, other_head: bool) -> tuple[PreTrainedModel, Loaded]:
    """Return a model of transformers' class ``kind``, and the tensors without weights in its source.

    ``head`` are settings of its configuration; with ``other_head`` it may have been saved with another head.

    Raises:
        UserError: if it cannot be loaded.
    """
    import torch
    import transformers

    pretrained.silence()
    origin, revision = pretrained.location(model.source)
    try:
        config = transformers.AutoConfig.from_pretrained(origin, trust_remote_code=False, **head, **revision)
        # A saved head for other classes is replaced by a new one for this task's.
        options = {"ignore_mismatched_sizes": other_head, "output_loading_info": True, **revision}
        # Else weights saved in half precision would stay so, and small steps would be lost by rounding.
        options["dtype"] = torch.float32
        built, found = getattr(transformers, kind).from_pretrained(
            origin, config=config, trust_remote_code=False, use_safetensors=True, **options
        )
    except Exception as error:  # a truncated file raises its reader's own error
        raise UserError(f"{origin}: the model cannot be loaded: {pretrained.error_text(origin, error)}") from None
    _check_encoder(built, found["mismatched_keys"], origin)
    return built, found


def _head(model: Transformer, manifest: Manifest) -> dict[str, bool | int | str]:
    """Return the settings of the model's configuration that the task determines."""
    head: dict[str, bool | int | str] = (
        {"use_cache": False} if manifest.target == "tokens" else {"num_labels": manifest.outputs}
    )
    if manifest.target == "number":
        head["problem_type"] = "regression"
    if manifest.target == "classes":
        head["problem_type"] = "multi_label_classification"
    if model.num_hidden_layers:
        head["num_hidden_layers"] = model.num_hidden_layers
    return head


def _new_in(model: PreTrainedModel, found: Loaded, *, head: bool) -> list[str]:
    """Return the parameters that the source did not have, and with ``head`` those of the head."""
    absent = {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}
    inside = f"{model.base_model_prefix}."
    return [name for name, _ in model.named_parameters() if name in absent or (head and not name.startswith(inside))]


def _check_encoder(model: PreTrainedModel, mismatched: Iterable[Mismatch], origin: str) -> None:
    """Raise UserError for weights outside the head whose shape differs from the configuration: they were not loaded."""
    inside = sorted(key for key in mismatched if key[0].startswith(f"{model.base_model_prefix}."))
    if inside:
        name, saved, wanted = inside[0]
        sizes = f"{list(saved)}, and its config.json says {list(wanted)}"
        raise UserError(f"{origin}: the model cannot be loaded: {name} is of size {sizes}")


def _called_by_keyword(model: nn.Module) -> nn.Module:
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ValueError("takes no input_ids")
    return model


def _check_context(config: PretrainedConfig, block: int | None) -> None:
    """Raise ValueError for blocks longer than the model's context."""
    assert block is not None, "the manifest of running text"
    known = getattr(config, "max_position_embeddings", None)
    if known is not None and block > known:
        raise ValueError(f"has a context of {known} tokens, and block is {block}; the nearest block that works is {known}")


def gpt(model: Gpt, manifest: Manifest) -> nn.Module:
    """Return an untrained GPT-2 of the planned size for the prepared data."""
    from transformers import GPT2Config, GPT2LMHeadModel

    pretrained.silence()
    end, dropout = manifest.end, model.dropout
    config = GPT2Config(
        vocab_size=manifest.vocabulary,
        n_positions=manifest.block,
        n_embd=model.width,
        n_layer=model.layers,
        n_head=model.heads,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=end,
        eos_token_id=end,
        use_cache=False,
    )
    built: nn.Module = GPT2LMHeadModel(config)
    return built
