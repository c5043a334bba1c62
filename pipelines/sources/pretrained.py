"""Pretrained models, tokenizers, image processors and feature extractors of transformers; no remote code."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.schema.source import FromHub, FromPackage, ModelSource
from pipelines.core.errors import UserError
from pipelines.sources import hub_status, package_index

if TYPE_CHECKING:
    from transformers import BaseImageProcessor, PretrainedConfig, PreTrainedTokenizerBase, SequenceFeatureExtractor

#: Files of which a folder with a tokenizer has at least one.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")

#: File of an image processor's settings.
PROCESSOR = "preprocessor_config.json"

#: Model types whose positions start after the padding token's id.
FROM_PADDING = re.compile("roberta|camembert|longformer|mpnet|data2vec-text|ibert|xmod|luke")


def location(source: ModelSource) -> tuple[str, dict[str, str]]:
    """Return the arguments of ``from_pretrained`` for a ``source``: a folder or hub id, and the revision.

    Raises:
        UserError: for a missing folder, or one with a truncated weights file.
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
    """Return the message of a library ``error`` about the folder or hub id ``origin``."""
    return str(error) if Path(origin).exists() else hub_status.error_text(error)


def check_whole(path: Path) -> None:
    """Refuse a safetensors file of another length than its header says; no tensor is read.

    Raises:
        UserError: naming the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: is truncated or damaged: {error}; fetch or copy it again") from None


def config(source: ModelSource | None) -> PretrainedConfig:
    """Return the configuration of the model of ``source``, without its weights.

    Raises:
        UserError: if it cannot be loaded.
    """
    from transformers import AutoConfig

    origin, options = location(_required_source(source))
    try:
        return AutoConfig.from_pretrained(origin, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{origin}: its config.json cannot be used: {error_text(origin, error)}") from None


def reads(config: PretrainedConfig) -> int | None:
    """Return the most tokens that the model can read at once; None if unbounded."""
    known: int | None = getattr(config, "max_position_embeddings", None)
    if known is None or known < 1:
        return None
    # RoBERTa's positions start after the padding token's id.
    return known - (config.pad_token_id or 0) - 1 if FROM_PADDING.search(config.model_type) else known


def tokenizer(source: ModelSource | None) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the model of ``source``.

    Raises:
        UserError: if there is none.
    """
    origin, options = location(given := _required_source(source))
    return tokenizer_at(origin, options) if isinstance(given, FromHub) else tokenizer_in(Path(origin))


def _required_source(source: ModelSource | None) -> ModelSource:
    if source is None:
        raise UserError("a text task needs a model of the family 'transformers', whose tokenizer prepares the texts")
    return source


def tokenizer_in(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer saved in ``folder``.

    Raises:
        UserError: if there is none.
    """
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed")
    return tokenizer_at(str(folder), {})


def tokenizer_at(origin: str, options: dict[str, str]) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the folder or hub id ``origin``.

    Raises:
        UserError: if it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(origin, trust_remote_code=False, **options)
    except Exception as error:  # the tokenizers library raises a bare Exception for a damaged file
        raise UserError(f"{origin}: its tokenizer cannot be loaded: {error_text(origin, error)}") from None


@dataclass(frozen=True)
class ImageProcessor:
    """How a model's images are prepared.

    Attributes:
        side: of the square that images are resized to, in pixels.
        mean: by channel, in [0, 255].
        deviation: likewise.
    """

    side: int
    mean: list[float]
    deviation: list[float]


def image_processor(source: ModelSource) -> ImageProcessor:
    """Return how the image processor of the model of ``source`` prepares images.

    Raises:
        UserError: if there is none, or it makes no squares.
    """
    origin, options = location(source)
    if not isinstance(source, FromHub) and not (Path(origin) / PROCESSOR).exists():
        raise UserError(f"{origin}: has no {PROCESSOR}, by which its images are scaled; save the model's image processor there")
    found = load_processor(origin, options)
    size = {key: value for key, value in dict(found.size or {}).items() if value}
    sides = set(size.values())
    if len(sides) != 1:
        raise UserError(f"{origin}: its {PROCESSOR} must resize to a square, got {size or 'no size'}")
    unit = 1 / (found.rescale_factor if found.do_rescale else 1)
    pairs = ([0.0], [1.0]) if not found.do_normalize else (found.image_mean, found.image_std)
    return ImageProcessor(int(sides.pop()), *([unit * value for value in values] for values in pairs))


def load_processor(origin: str, options: dict[str, str]) -> BaseImageProcessor:
    """Return the image processor of the folder or hub id ``origin``.

    Raises:
        UserError: if it cannot be loaded.
    """
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(origin, trust_remote_code=False, **options)
    except Exception as error:  # a damaged file raises its reader's own error
        raise UserError(f"{origin}: its image processor cannot be loaded: {error_text(origin, error)}") from None


def feature_extractor(source: ModelSource) -> SequenceFeatureExtractor:
    """Return the feature extractor of the model of sounds of ``source``.

    Raises:
        UserError: if there is none, or it cannot be loaded.
    """
    from transformers import AutoFeatureExtractor

    origin, options = location(source)
    if not isinstance(source, FromHub) and not (Path(origin) / PROCESSOR).exists():
        raise UserError(f"{origin}: has no {PROCESSOR}, by which its sounds are read; save the model's feature extractor there")
    try:
        return AutoFeatureExtractor.from_pretrained(origin, trust_remote_code=False, **options)
    except Exception as error:  # a damaged file raises its reader's own error
        raise UserError(f"{origin}: its feature extractor cannot be loaded: {error_text(origin, error)}") from None


def silence() -> None:
    """Turn off the transformers library's warnings (on new heads) and progress bars."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def quiet() -> None:
    """Turn off telemetry and the warnings of parallel tokenizers."""
    for name, value in {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}.items():
        os.environ.setdefault(name, value)
