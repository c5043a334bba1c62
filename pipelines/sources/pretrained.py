"""Pretrained models and tokenizers of transformers: hub, folder or package; no remote code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.schema.source import FromHub, FromPackage, ModelSource
from pipelines.core.errors import UserError
from pipelines.sources import hub_status, package_index

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

#: Files without which a folder is no saved model; a tokenizer has one of several.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")

#: Types of models whose positions begin after the padding token's id.
FROM_PADDING = re.compile("roberta|camembert|longformer|mpnet|data2vec-text|ibert|xmod|luke")


def location(source: ModelSource) -> tuple[str, dict[str, str]]:
    """Return what ``from_pretrained`` takes for a ``source``: a folder or hub id, and the revision.

    Raises:
        UserError: for a folder that is not there, or that has a file of weights which is not whole.
    """
    if isinstance(source, FromHub):
        hub_status.away()
        return source.id, {"revision": source.revision}
    path = package_index.member(source) if isinstance(source, FromPackage) else Path(source.folder)
    if not (path / "config.json").exists():
        raise UserError(f"{path}: is no folder of a transformers model: it has no config.json")
    for weights in sorted(path.glob("*.safetensors")):
        check_whole(weights)
    return str(path), {}


def error_text(origin: str, error: Exception) -> str:
    """Return what to say of an ``error`` of the library, of the folder or hub id ``origin``."""
    return str(error) if Path(origin).exists() else hub_status.error_text(error)


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


def config(source: ModelSource | None) -> PretrainedConfig:
    """Return the configuration of the model of ``source``, none of whose weights are read.

    Raises:
        UserError: where it cannot be loaded.
    """
    from transformers import AutoConfig

    origin, options = location(_required_source(source))
    try:
        return AutoConfig.from_pretrained(origin, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{origin}: its config.json cannot be used: {error_text(origin, error)}") from None


def reads(config: PretrainedConfig) -> int | None:
    """Return how many tokens the model can read at once; None where nothing bounds them."""
    known: int | None = getattr(config, "max_position_embeddings", None)
    if known is None or known < 1:
        return None
    # RoBERTa counts positions from the one after the padding token's id.
    return known - (config.pad_token_id or 0) - 1 if FROM_PADDING.search(config.model_type) else known


def tokenizer(source: ModelSource | None) -> PreTrainedTokenizerBase:
    """Return the tokenizer that comes with the model of ``source``.

    Raises:
        UserError: where there is none.
    """
    origin, options = location(given := _required_source(source))
    return tokenizer_at(origin, options) if isinstance(given, FromHub) else tokenizer_in(Path(origin))


def _required_source(source: ModelSource | None) -> ModelSource:
    if source is None:
        raise UserError("a text task needs a model of the family 'transformers', whose tokenizer prepares the texts")
    return source


def tokenizer_in(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer that was saved in ``folder``.

    Raises:
        UserError: where there is none.
    """
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed")
    return tokenizer_at(str(folder), {})


def tokenizer_at(origin: str, options: dict[str, str]) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the folder or hub id ``origin``.

    Raises:
        UserError: where it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(origin, trust_remote_code=False, **options)
    except Exception as error:  # the tokenizers library raises nothing more special for a file that is not whole
        raise UserError(f"{origin}: its tokenizer cannot be loaded: {error_text(origin, error)}") from None


def silence() -> None:
    """Keep the transformers library from saying of a new head what is meant for people who did not ask for one."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def quiet() -> None:
    """Keep the libraries from speaking to the network about themselves, and to the terminal about nothing."""
    for name, value in {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}.items():
        os.environ.setdefault(name, value)
