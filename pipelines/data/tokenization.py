"""Tokenization of texts and pairs; marks the truncated ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.sources import pretrained

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Texts tokenized at once: the tokenizer uses much more memory per text than its token ids.
AT_ONCE = 4096


@dataclass(frozen=True)
class Encoded:
    """N tokenized texts or pairs, concatenated.

    Attributes:
        tokens: ``(T,)`` int32.
        sizes: ``(N,)`` int64, number of tokens of each.
        second: ``(N,)`` int32, index of each pair's first token of token type 1; None if the model has no token types.
        cut: ``(N,)`` bool, which were longer than ``max_length``.
        pad: id of the padding token.
        vocabulary: number of known tokens.
    """

    tokens: Array
    sizes: Array
    second: Array | None
    cut: Array
    pad: int
    vocabulary: int


def encoded(parts: Sequence[Sequence[str]], task: TaskPlan) -> Encoded:
    """Return texts, or with two ``parts`` pairs, tokenized for the task's model.

    Raises:
        UserError: if tokenizer, model and ``max_length`` do not fit each other.
    """
    tokenizer, config = pretrained.tokenizer(task.tokenizer), pretrained.config(task.tokenizer)
    where = f"params.yaml: tasks.{task.name}"
    if not tokenizer.is_fast:
        raise UserError(f"{where}.model: its tokenizer must be one of the tokenizers library, got {type(tokenizer).__name__}")
    check_length(task.max_length, pretrained.reads(config), where)
    # Only models with embeddings of token types distinguish the two texts of a pair.
    typed = len(parts) == 2 and getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in tokenizer.model_input_names
    tokens, sizes, second, cut = in_parts(parts, tokenizer.backend_tokenizer, task.max_length, typed, where)
    check_tokens(tokens, sizes, getattr(config, "vocab_size", None), where)
    return Encoded(tokens, sizes, second if typed else None, cut, tokenizer.pad_token_id or 0, len(tokenizer))


def in_parts(parts: Sequence[Sequence[str]], backend: Tokenizer, length: int, typed: bool, where: str) -> tuple[Array, ...]:
    """Return tokens, sizes, seconds and cuts, as in ``Encoded``, of texts cut to ``length`` tokens."""
    backend.enable_truncation(length)
    backend.no_padding()
    with all_cores():
        found = [_at_once(_some(parts, i), backend, typed, where) for i in range(0, len(parts[0]), AT_ONCE)]
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


@contextmanager
def all_cores() -> Iterator[None]:
    """Let the tokenizers library use all cores, which is off elsewhere because processes fork there."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    try:
        yield
    finally:
        os.environ.pop("TOKENIZERS_PARALLELISM")
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _some(parts: Sequence[Sequence[str]], start: int) -> list[str] | list[tuple[str, str]]:
    """Return the next texts or pairs in the form of the tokenizers library."""
    some = [list(part[start : start + AT_ONCE]) for part in parts]
    return some[0] if len(some) == 1 else list(zip(*some, strict=True))


def _at_once(some: list[str] | list[tuple[str, str]], backend: Tokenizer, typed: bool, where: str) -> tuple[Array, ...]:
    """Return the columns of ``Encoded`` for some texts; ``second`` is 0 unless they are ``typed``."""
    written = backend.encode_batch_fast(some)  # without character offsets
    ids = [each.ids for each in written]
    sizes = np.fromiter(map(len, ids), np.int64)
    cut = np.fromiter((bool(each.overflowing) for each in written), bool)
    second = np.zeros(len(sizes), np.int32)
    if typed:
        second = second_at(_flat([each.type_ids for each in written]), sizes, f"{where}.model")
    return _flat(ids), sizes, second, cut


def _flat(lists: Sequence[Sequence[int]]) -> Array:
    return np.fromiter(chain.from_iterable(lists), np.int32)


def second_at(types: Array, sizes: Array, where: str) -> Array:
    """Return the index ``(N,)`` int32 at which each text's token types ``(T,)`` become 1, or its size.

    Raises:
        UserError: for types that are not zeros and then ones; the message starts with ``where``.
    """
    owner = np.repeat(np.arange(len(sizes)), sizes)
    second = sizes - np.bincount(owner, types, len(sizes)).astype(np.int64)
    position = np.arange(len(types)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    if (types != (position >= second[owner])).any():
        raise UserError(f"{where}: its tokenizer must mark the tokens of a pair by 0 and then 1, and marks them otherwise")
    return second.astype(np.int32)


def check_length(length: int, known: int | None, where: str, key: str = "max_length") -> None:
    """Raise UserError, naming ``key``, for a ``length`` above the ``known`` one that the model reads."""
    if known is not None and length > known:
        reads = f"must be at most the {known} tokens that the model reads"
        raise UserError(f"{where}.{key}: {reads}, got {length}; the nearest that works is {known}")


def check_tokens(tokens: Array, sizes: Array, vocabulary: int | None, where: str) -> None:
    """Raise UserError for a text ``(N,)`` without tokens, or a token ``(T,)`` that is not in the vocabulary."""
    if not sizes.all():
        raise UserError(f"{where}: the tokenizer makes no token of the text of id {sizes.argmin()}")
    if vocabulary is not None and (largest := tokens.max()) >= vocabulary:
        raise UserError(
            f"{where}.model: has {vocabulary} tokens, and its tokenizer, perhaps another model's, gives the token id {largest}"
        )
