"""Pretrained models and tokenizers of transformers: hub, folder or package; no remote code."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import UserError
from pipelines.sources import hub_status, package_index

if TYPE_CHECKING:
    from torch import nn

#: Files without which a folder is no saved model; a tokenizer has one of several.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")

#: Types of models whose positions begin after the padding token's id.
FROM_PADDING = re.compile("roberta|camembert|longformer|mpnet|data2vec-text|ibert|xmod|luke")


def location(source: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return what ``from_pretrained`` takes for a ``source``: a folder or hub id, and the revision.

    Raises:
        UserError: for a folder that is not there, or that has a file of weights which is not whole.
    """
    if source["from"] == "hub":
        hub_status.away()
        return source["id"], {"revision": source["revision"]}
    path = package_index.member(source) if source["from"] == "package" else Path(source["folder"])
    if not (path / "config.json").exists():
        raise UserError(f"{path}: is no folder of a transformers model: it has no config.json")
    for weights in sorted(path.glob("*.safetensors")):
        check_whole(weights)
    return str(path), {}


def _told(place: str, error: Exception) -> str:
    """Return what to say of an ``error`` of the library, of the folder or hub id ``place``."""
    return str(error) if Path(place).exists() else hub_status.told(error)


def check_whole(path: Path) -> None:
    """Refuse a safetensors file that is shorter or longer than its header says; none of its tensors are read.

    Raises:
        UserError: naming it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: is not whole: {error}; fetch or copy it again") from None


def config(source: dict[str, Any] | None) -> Any:  # noqa: ANN401 - a PretrainedConfig
    """Return the configuration of the model of ``source``, none of whose weights are read.

    Raises:
        UserError: where it cannot be loaded.
    """
    from transformers import AutoConfig

    place, options = location(_given(source))
    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: its config.json cannot be used: {_told(place, error)}") from None


def reads(config: Any) -> int | None:  # noqa: ANN401 - a PretrainedConfig
    """Return how many tokens the model can read at once; None where nothing bounds them."""
    known: int | None = getattr(config, "max_position_embeddings", None)
    if known is None or known < 1:
        return None
    # RoBERTa counts positions from the one after the padding token's id.
    return known - (config.pad_token_id or 0) - 1 if FROM_PADDING.search(config.model_type) else known


def tokenizer(source: dict[str, Any] | None) -> Any:  # noqa: ANN401 - a PreTrainedTokenizerFast
    """Return the tokenizer that comes with the model of ``source``.

    Raises:
        UserError: where there is none.
    """
    place, options = location(given := _given(source))
    return tokenizer_at(place, options) if given["from"] == "hub" else tokenizer_in(Path(place))


def _given(source: dict[str, Any] | None) -> dict[str, Any]:
    if source is None:
        raise UserError("a text task needs a model of the family 'transformers', whose tokenizer prepares the texts")
    return source


def tokenizer_in(folder: Path) -> Any:  # noqa: ANN401 - a PreTrainedTokenizerFast
    """Return the tokenizer that was saved in ``folder``.

    Raises:
        UserError: where there is none.
    """
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed")
    return tokenizer_at(str(folder), {})


def tokenizer_at(place: str, options: dict[str, str]) -> Any:  # noqa: ANN401 - a PreTrainedTokenizerFast
    """Return the tokenizer of the folder or hub id ``place``.

    Raises:
        UserError: where it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(place, trust_remote_code=False, **options)
    except Exception as error:  # the tokenizers library raises nothing more special for a file that is not whole
        raise UserError(f"{place}: its tokenizer cannot be loaded: {_told(place, error)}") from None


def transformer(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    """Return the planned model of the transformers library, with a head for what the prepared data ask for.

    Raises:
        UserError: where it cannot be loaded.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    from components.models.small import freeze_all_but_last

    silence()
    place, revision = location(model["source"])
    language = manifest["target"] == "tokens"
    kind = AutoModelForCausalLM if language else AutoModelForSequenceClassification
    head: dict[str, Any] = {"use_cache": False} if language else {"num_labels": manifest["outputs"]}
    if manifest["target"] == "number":
        head["problem_type"] = "regression"
    if model["num_hidden_layers"]:
        head["num_hidden_layers"] = model["num_hidden_layers"]
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **head, **revision)
        # A head that was saved for other classes is left out for one of this task's.
        options = {"ignore_mismatched_sizes": not language, "output_loading_info": True, **revision}
        # The library would keep weights in half precision where they were saved so, and steps are lost in their rounding.
        options["dtype"] = torch.float32
        built, found = kind.from_pretrained(place, config=config, trust_remote_code=False, use_safetensors=True, **options)
    except Exception as error:  # a truncated file raises what its reader raises
        raise UserError(f"{place}: the model cannot be loaded: {_told(place, error)}") from None
    _check_encoder(built, found["mismatched_keys"], place)
    if language:
        _check_context(config, manifest["block"])
    if model["train_layers"] is not None:
        freeze_all_but_last(built, model["train_layers"])
    return _called_by_keyword(built)


def _check_encoder(model: Any, mismatched: Iterable[tuple[Any, ...]], place: str) -> None:  # noqa: ANN401 - a PreTrainedModel
    """Refuse weights beside the head that have another size than the configuration says: they were not loaded."""
    inside = sorted(key for key in mismatched if key[0].startswith(f"{model.base_model_prefix}."))
    if inside:
        name, saved, wanted = inside[0]
        sizes = f"{list(saved)}, and its config.json says {list(wanted)}"
        raise UserError(f"{place}: the model cannot be loaded: {name} is of size {sizes}")


def _called_by_keyword(model: nn.Module) -> nn.Module:
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ValueError("takes no input_ids")
    return model


def _check_context(config: Any, block: int) -> None:  # noqa: ANN401 - a PretrainedConfig
    """Refuse blocks that are longer than what the model can read at once."""
    known = getattr(config, "max_position_embeddings", None)
    if known is not None and block > known:
        raise ValueError(f"reads {known} tokens at once, and block is {block}; the nearest block that works is {known}")


def gpt(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    """Return a GPT-2 of the planned size, untrained, for blocks and vocabulary of the prepared data."""
    from transformers import GPT2Config, GPT2LMHeadModel

    silence()
    end, dropout = manifest["end"], model["dropout"]
    config = GPT2Config(
        vocab_size=manifest["vocabulary"],
        n_positions=manifest["block"],
        n_embd=model["width"],
        n_layer=model["layers"],
        n_head=model["heads"],
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=end,
        eos_token_id=end,
        use_cache=False,
    )
    built: nn.Module = GPT2LMHeadModel(config)
    return built


def silence() -> None:
    """Keep the transformers library from saying of a new head what is meant for people who did not ask for one."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def quiet() -> None:
    """Keep the libraries from speaking to the network about themselves, and to the terminal about nothing."""
    for name, value in {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}.items():
        os.environ.setdefault(name, value)
