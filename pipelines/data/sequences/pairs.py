"""Sources and targets as tokens, by the model's tokenizer or one trained here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data import token_blocks, tokenization
from pipelines.data.manifest import InputFacts, SplitCounts
from pipelines.sources import pretrained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Special tokens of a tokenizer trained here, whose ids are 0 and 1.
PAD, END = "<pad>", "</s>"
#: Names of the columns with the texts themselves.
SOURCE, REFERENCE = "source", "reference"


@dataclass(frozen=True)
class Encoded:
    """N pairs as columns to store, and their metadata.

    Attributes:
        columns: ``(N,)`` each: ``tokens`` of the source and then of the target, ``second``, where the latter starts, and texts.
        facts: their metadata.
        tokenizer: that was trained on the training rows; None for a model's own.
    """

    columns: dict[str, pa.Array]
    facts: InputFacts
    tokenizer: PreTrainedTokenizerBase | None


def encoded(sources: Sequence[str], targets: Sequence[str], task: TaskPlan, train: Array, test: Array) -> Encoded:
    """Return pairs of texts as columns, cut to ``max_length`` and ``max_target_length`` tokens.

    Args:
        sources: N texts.
        targets: to be written from them.
        task: as planned.
        train: ids of the training split, which a tokenizer is trained on.
        test: ids of the test split.

    Raises:
        UserError: for a model that writes no text from another, or whose tokenizer does not mark its end.
    """
    where = f"params.yaml: tasks.{task.name}"
    tokenizer, start, most = _tokenizer(task, [texts[i] for texts in (sources, targets) for i in train], where)
    if not tokenizer.is_fast:
        raise UserError(f"{where}.model: its tokenizer must be one of the tokenizers library, got {type(tokenizer).__name__}")
    parts, cuts = [], []
    for key, texts in (("max_length", sources), ("max_target_length", targets)):
        length = getattr(task, key)
        tokenization.check_length(length, most, where, key)
        tokens, sizes, _, cut = tokenization.in_parts([texts], tokenizer.backend_tokenizer, length, False, where)
        tokenization.check_tokens(tokens, sizes, len(tokenizer), where)
        parts.append((tokens, sizes))
        cuts.append(SplitCounts(train=int(cut[train].sum()), test=int(cut[test].sum())))
    _check_end(*parts[1], tokenizer.eos_token_id, where)
    facts = InputFacts(
        pad=tokenizer.pad_token_id or 0, vocabulary=len(tokenizer), max_length=task.max_length, truncated=cuts[0],
        max_target_length=task.max_target_length, truncated_targets=cuts[1], start=start, end=tokenizer.eos_token_id,
    )  # fmt: skip
    columns = _columns(*parts) | {SOURCE: pa.array(sources), REFERENCE: pa.array(targets)}
    return Encoded(columns, facts, tokenizer if task.tokenizer is None else None)


def _tokenizer(task: TaskPlan, texts: Sequence[str], where: str) -> tuple[PreTrainedTokenizerBase, int, int | None]:
    """Return the tokenizer, the token that a decoder starts from, and the most tokens that the model reads."""
    if task.tokenizer is None:
        return trained(texts, task.vocabulary), 0, None
    config = pretrained.config(task.tokenizer)
    start = getattr(config, "decoder_start_token_id", None)
    if not config.is_encoder_decoder or start is None:
        raise UserError(
            f"{where}.model: must have an encoder and a decoder, such as T5, for a task of kind 'seq2seq', got "
            f"{config.model_type!r}"
        )
    return pretrained.tokenizer(task.tokenizer), start, pretrained.reads(config)


def trained(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE of at most ``vocabulary`` tokens that ends each text with ``END``; it is deterministic."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = token_blocks.byte_pairs(texts, vocabulary, [PAD, END])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_input_names=names)


def _check_end(tokens: Array, sizes: Array, end: int | None, where: str) -> None:
    """Raise UserError if the targets do not end with the token ``end``: a model would never learn where to stop."""
    if (tokens[np.cumsum(sizes) - 1] != end).any():
        raise UserError(f"{where}.model: its tokenizer must end each text with its eos_token, and does not")


def _columns(source: tuple[Array, Array], target: tuple[Array, Array]) -> dict[str, pa.Array]:
    """Return the tokens of each source followed by those of its target, as columns to store."""
    sizes = source[1] + target[1]
    ends = np.concatenate([[0], np.cumsum(sizes)])
    tokens = np.empty(ends[-1], np.int32)
    given = np.arange(len(tokens)) - np.repeat(ends[:-1], sizes) < np.repeat(source[1], sizes)
    tokens[given], tokens[~given] = source[0], target[0]
    listed = pa.LargeListArray.from_arrays(pa.array(ends), pa.array(tokens))
    return {"tokens": listed, "second": pa.array(source[1].astype(np.int32))}
