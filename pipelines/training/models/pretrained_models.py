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

    language = _is_causal(manifest)
    kind = "AutoModelForCausalLM" if language else "AutoModelForSequenceClassification"
    built, found = loaded(kind, model, _head(model, manifest), other_head=not language)
    if language:
        _check_context(built.config, manifest)
    if manifest.kind == "instructions":
        _check_causal(built)
    if model.train_layers is not None:
        freeze_all_but_last(built, model.train_layers)
    if model.lora is not None:
        adapters.add(built, model.lora, new_in(built, found, head=not language))
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
    head: dict[str, bool | int | str] = {"use_cache": False} if _is_causal(manifest) else {"num_labels": manifest.outputs}
    if manifest.target in ("number", "numbers"):
        head["problem_type"] = "regression"
    if manifest.target == "classes":
        head["problem_type"] = "multi_label_classification"
    if model.num_hidden_layers:
        head["num_hidden_layers"] = model.num_hidden_layers
    return head


def new_in(model: PreTrainedModel, found: Loaded, *, head: bool) -> list[str]:
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


def _is_causal(manifest: Manifest) -> bool:
    """Return whether a model predicts each token from those before it."""
    return manifest.kind in ("language", "instructions") or manifest.target == "tokens"


def _called_by_keyword(model: nn.Module) -> nn.Module:
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ValueError("takes no input_ids")
    return model


def _check_causal(model: PreTrainedModel) -> None:
    """Raise ValueError for a model that sees the tokens after the one that it predicts from, as an encoder does."""
    import torch

    training, ids = model.training, torch.tensor([[0, 1, 1], [0, 1, 0]])
    with torch.no_grad():
        first, second = model.eval()(input_ids=ids).logits[:, 1]
    model.train(training)
    if not torch.allclose(first, second, atol=1e-4):
        found = model.config.model_type
        raise ValueError(f"must read from left to right, such as GPT-2 or Llama, and one of the type {found!r} does not")


def _check_context(config: PretrainedConfig, manifest: Manifest) -> None:
    """Raise ValueError for blocks longer than the model's context; that of conversations is checked as they are prepared."""
    block, known = manifest.block, getattr(config, "max_position_embeddings", None)
    if known is not None and block is not None and block > known:
        raise ValueError(f"has a context of {known} tokens, and block is {block}; the nearest block that works is {known}")


def gpt(model: Gpt, manifest: Manifest) -> nn.Module:
    """Return an untrained GPT-2 of the planned size for the prepared data, a conversation with what is written after it."""
    from transformers import GPT2Config, GPT2LMHeadModel

    pretrained.silence()
    end, dropout = manifest.end, model.dropout
    config = GPT2Config(
        vocab_size=manifest.vocabulary,
        n_positions=manifest.block or (manifest.max_length or 0) + (manifest.max_target_length or 0),
        n_embd=model.width,
        n_layer=model.layers,
        n_head=model.heads,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=end,
        eos_token_id=end,
        use_cache=False,
        **({} if manifest.pad is None else {"pad_token_id": manifest.pad}),
    )
    built: nn.Module = GPT2LMHeadModel(config)
    return built
