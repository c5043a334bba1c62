"""Documents as token blocks, by the model's tokenizer or one trained here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data.manifest import InputFacts, SplitCounts
from pipelines.sources import pretrained

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

#: Token between two documents of a tokenizer trained here; its id is 0.
END = "<|endoftext|>"


@dataclass(frozen=True)
class Cut:
    """The documents of a split, concatenated and cut into blocks.

    Attributes:
        tokens: ``(N, block)`` int32; the rest after the last whole block is dropped.
        document: ``(N,)`` int64, the id of the document that each block starts in.
        total: number of tokens in all documents.
    """

    tokens: Array
    document: Array
    total: int


def tokenizer_of(task: TaskPlan, texts: Sequence[str]) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the task's model, or one trained on ``texts`` if it has none."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if task.tokenizer is not None:
        return pretrained.tokenizer(task.tokenizer)
    return trained(texts, task.vocabulary)


def trained(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE of at most ``vocabulary`` tokens (Sennrich et al. 2016); it is deterministic."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = byte_pairs(texts, vocabulary, [END])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END)


def byte_pairs(texts: Sequence[str], vocabulary: int, special: list[str]) -> Tokenizer:
    """Return a tokenizer trained on ``texts``, whose first ids are of the ``special`` tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def end_of(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of the tokenizer's token between documents, if it has one."""
    known = (tokenizer.eos_token_id, tokenizer.sep_token_id)
    return next((token for token in known if token is not None), None)


def facts(train: Cut, test: Cut, tokenizer: PreTrainedTokenizerBase) -> InputFacts:
    """Return the metadata of the blocks of both splits."""
    block = train.tokens.shape[1]
    return InputFacts(
        shape=[block],
        block=block,
        vocabulary=len(tokenizer),
        end=end_of(tokenizer),
        tokens=SplitCounts(train=train.total, test=test.total),
    )


def cut(texts: Sequence[str], ids: Array, tokenizer: PreTrainedTokenizerBase, block: int, where: str) -> Cut:
    """Return the documents ``ids`` of ``texts``, concatenated and cut into blocks of ``block`` tokens.

    Raises:
        UserError: if they have fewer tokens than one block; the message starts with ``where``.
    """
    between = [] if (end := end_of(tokenizer)) is None else [end]
    encoded = tokenizer([texts[i] for i in ids], add_special_tokens=False, verbose=False)["input_ids"]
    whole = [np.array([*tokens, *between], np.int32) for tokens in encoded]
    stream, starts = np.concatenate(whole), np.cumsum([0, *map(len, whole)])
    count = len(stream) // block
    if not count:
        total = len(stream)
        raise UserError(f"{where} has {total} tokens, under the {block} of one block; the nearest that works is {total}")
    first = np.searchsorted(starts, np.arange(count) * block, side="right") - 1
    return Cut(stream[: count * block].reshape(count, block), ids[first].astype(np.int64), len(stream))
