"""Texts and pairs as token ids, with the cut ones counted."""

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

#: Texts that are tokenized at once: a tokenizer keeps much more of each than its tokens.
AT_ONCE = 4096


@dataclass(frozen=True)
class Encoded:
    """N texts or pairs, end to end.

    Attributes:
        tokens: ``(T,)`` int32.
        sizes: ``(N,)`` int64, tokens of each.
        second: ``(N,)`` int32, the first token of each that the model is told to be of the second text; None where it is
            told nothing of the kind.
        cut: ``(N,)`` bool, which were longer than ``max_length``.
        pad: the token that fills a batch up.
        vocabulary: how many tokens there are.
    """

    tokens: Array
    sizes: Array
    second: Array | None
    cut: Array
    pad: int
    vocabulary: int


def encoded(parts: Sequence[Sequence[str]], task: TaskPlan) -> Encoded:
    """Return texts, or with two ``parts`` pairs, as the tokenizer of the task's model writes them.

    Raises:
        UserError: where tokenizer, model and ``max_length`` do not fit each other.
    """
    tokenizer, config = pretrained.tokenizer(task.tokenizer), pretrained.config(task.tokenizer)
    where = f"params.yaml: tasks.{task.name}"
    if not tokenizer.is_fast:
        raise UserError(f"{where}.model: its tokenizer must be one of the tokenizers library, got {type(tokenizer).__name__}")
    _check_length(task.max_length, pretrained.reads(config), where)
    # A model that tells two texts apart has embeddings for it, and its tokenizer says which is which.
    told = len(parts) == 2 and getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in tokenizer.model_input_names
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(task.max_length)
    backend.no_padding()
    with _all_cores():
        found = [_at_once(_some(parts, i), backend, told, where) for i in range(0, len(parts[0]), AT_ONCE)]
    tokens, sizes, second, cut = (np.concatenate(column) for column in zip(*found, strict=True))
    _check_tokens(tokens, sizes, getattr(config, "vocab_size", None), where)
    return Encoded(tokens, sizes, second if told else None, cut, tokenizer.pad_token_id or 0, len(tokenizer))


@contextmanager
def _all_cores() -> Iterator[None]:
    """Let the tokenizers library work on all cores, which elsewhere it is asked not to, since processes fork there."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    try:
        yield
    finally:
        os.environ.pop("TOKENIZERS_PARALLELISM")
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _some(parts: Sequence[Sequence[str]], start: int) -> list[str] | list[tuple[str, str]]:
    """Return the next texts or pairs, as the tokenizers library takes them."""
    some = [list(part[start : start + AT_ONCE]) for part in parts]
    return some[0] if len(some) == 1 else list(zip(*some, strict=True))


def _at_once(some: list[str] | list[tuple[str, str]], backend: Tokenizer, told: bool, where: str) -> tuple[Array, ...]:
    """Return the columns of ``Encoded`` for some texts; without being ``told``, where the second begins is left at 0."""
    written = backend.encode_batch_fast(some)  # which does not say where in the text each token was
    ids = [each.ids for each in written]
    sizes = np.fromiter(map(len, ids), np.int64)
    cut = np.fromiter((bool(each.overflowing) for each in written), bool)
    second = np.zeros(len(sizes), np.int32)
    if told:
        second = second_at(_flat([each.type_ids for each in written]), sizes, f"{where}.model")
    return _flat(ids), sizes, second, cut


def _flat(lists: Sequence[Sequence[int]]) -> Array:
    return np.fromiter(chain.from_iterable(lists), np.int32)


def second_at(types: Array, sizes: Array, where: str) -> Array:
    """Return where in each text the types ``(T,)``, end to end, turn from 0 to 1: ``(N,)`` int32, its size where never.

    Raises:
        UserError: for types that are not zeros and then ones; ``where`` says whose they are.
    """
    owner = np.repeat(np.arange(len(sizes)), sizes)
    second = sizes - np.bincount(owner, types, len(sizes)).astype(np.int64)
    position = np.arange(len(types)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    if (types != (position >= second[owner])).any():
        raise UserError(f"{where}: its tokenizer must mark the tokens of a pair by 0 and then 1, and marks them otherwise")
    return second.astype(np.int32)


def _check_length(asked: int, known: int | None, where: str) -> None:
    if known is not None and asked > known:
        reads = f"must be at most the {known} tokens that the model reads"
        raise UserError(f"{where}.max_length: {reads}, got {asked}; the nearest that works is {known}")


def _check_tokens(tokens: Array, sizes: Array, vocabulary: int | None, where: str) -> None:
    if not sizes.all():
        raise UserError(f"{where}: the tokenizer makes no token of the text of id {sizes.argmin()}")
    if vocabulary is not None and (largest := tokens.max()) >= vocabulary:
        raise UserError(
            f"{where}.model: knows {vocabulary} tokens, and its tokenizer, of another model perhaps, makes {largest}"
        )
