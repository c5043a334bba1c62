"""Conversations as tokens, with those of their responses marked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data import token_blocks, tokenization
from pipelines.data.manifest import InputFacts, SplitCounts
from pipelines.data.sequences import chat_templates, conversations
from pipelines.data.sequences.conversations import Conversation
from pipelines.data.sequences.pairs import END, PAD, REFERENCE, Encoded
from pipelines.sources import pretrained
from pipelines.sources.raw import Column

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Name of the column with the messages before the last response, as JSON.
ASKED = "conversation"


@dataclass(frozen=True)
class _Talk:
    """A conversation as T tokens, up to the end of its last response.

    Attributes:
        tokens: ``(T,)`` int32.
        spans: the tokens of each response, from its start up to its end.
    """

    tokens: Array
    spans: list[tuple[int, int]]

    @property
    def learnt(self) -> Array:
        """Which tokens are of responses, ``(T,)`` uint8."""
        mask = np.zeros(len(self.tokens), np.uint8)
        for start, end in self.spans:
            mask[start:end] = 1
        return mask

    def cut(self, length: int) -> _Talk:
        """Return the first ``length`` tokens, up to the last one of a response among them."""
        spans = [(start, min(end, length)) for start, end in self.spans if start < length]
        return _Talk(self.tokens[: spans[-1][1]], spans)


def encoded(inputs: Mapping[str, Column], task: TaskPlan, train: Array, test: Array) -> Encoded:
    """Return conversations as columns: ``tokens``, which are ``learnt``, the messages before the last response, and that one.

    A conversation is cut to ``max_length`` tokens; its last response is the last that begins within them.

    Args:
        inputs: texts by name, or conversations.
        task: as planned.
        train: ids of the training split, which a tokenizer is trained on.
        test: ids of the test split.

    Raises:
        UserError: for a conversation that cannot be learnt from, by its id, or a model that cannot learn it.
    """
    where, found = f"params.yaml: tasks.{task.name}", conversations.read(inputs, task.name)
    tokenizer = _tokenizer(task, [found[i] for i in train], where)
    own = chat_templates.given_template(tokenizer, f"{where}.model")
    special = {token for token, kind in tokenizer.added_tokens_decoder.items() if kind.special}
    talks = _tokens(found, tokenizer, special, task)
    end = _end(talks, special, where)
    sizes = np.array([len(talk.tokens) for talk in talks])
    _check_room(talks, task, where)
    cut = sizes > task.max_length
    talks = [talk.cut(task.max_length) for talk in talks]
    vocabulary = len(tokenizer) if task.tokenizer is None else getattr(pretrained.config(task.tokenizer), "vocab_size", None)
    columns = _columns(talks)
    tokenization.check_tokens(columns["tokens"].values.to_numpy(), np.array([len(t.tokens) for t in talks]), vocabulary, where)
    facts = InputFacts(
        pad=end if tokenizer.pad_token_id is None else tokenizer.pad_token_id, vocabulary=len(tokenizer), end=end,
        max_length=task.max_length, truncated=SplitCounts(train=int(cut[train].sum()), test=int(cut[test].sum())),
        max_target_length=task.max_target_length, template="own" if own else "plain",
    )  # fmt: skip
    last = [list(conversations.responses(one))[len(talk.spans) - 1] for one, talk in zip(found, talks, strict=True)]
    asked = [json.dumps(one[:turn], ensure_ascii=False) for one, turn in zip(found, last, strict=True)]
    answers = [one[turn]["content"].strip() for one, turn in zip(found, last, strict=True)]
    return Encoded(columns | {ASKED: pa.array(asked), REFERENCE: pa.array(answers)}, facts, tokenizer)


def _tokenizer(task: TaskPlan, learnt: Sequence[Conversation], where: str) -> PreTrainedTokenizerBase:
    """Return the model's tokenizer, or one trained on the conversations ``learnt``."""
    if task.tokenizer is None:
        return trained(learnt, task.vocabulary)
    config = pretrained.config(task.tokenizer)
    if config.is_encoder_decoder:
        raise UserError(
            f"{where}.model: must be a decoder alone, such as GPT-2 or Llama, for a task of kind 'instructions', got "
            f"{config.model_type!r}; kind 'seq2seq' takes it"
        )
    tokenizer, most = pretrained.tokenizer(task.tokenizer), pretrained.reads(config)
    if not tokenizer.is_fast:
        raise UserError(f"{where}.model: its tokenizer must be one of the tokenizers library, got {type(tokenizer).__name__}")
    if most is not None and task.max_length + task.max_target_length > most:
        raise UserError(
            f"{where}.max_length: with max_target_length, {task.max_target_length}, must be at most the {most} tokens that the "
            f"model reads, got {task.max_length}; the nearest that works is {most - task.max_target_length}"
        )
    return tokenizer


def trained(learnt: Sequence[Conversation], vocabulary: int) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE of at most ``vocabulary`` tokens with the plain chat template; it is deterministic."""
    from transformers import PreTrainedTokenizerFast

    texts = [f"{one['role'].capitalize()}:\n{one['content'].strip()}\n\n" for messages in learnt for one in messages]
    tokenizer = token_blocks.byte_pairs(texts, vocabulary, [PAD, END])
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_input_names=names)


def _tokens(
    found: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase, special: set[int], task: TaskPlan
) -> list[_Talk]:
    """Return the tokens of each conversation, whole, up to the end of its last response."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    talks = []
    for start in range(0, len(found), tokenization.AT_ONCE):
        named = [(f"{task.name}: id {i}", found[i]) for i in range(start, min(start + tokenization.AT_ONCE, len(found)))]
        rendered = [chat_templates.written(tokenizer, one, where) for where, one in named]
        with tokenization.all_cores():
            encodings = backend.encode_batch([text for text, _ in rendered], add_special_tokens=False)
        for (where, _), (_, spans), made in zip(named, rendered, encodings, strict=True):
            starts = np.array([start for start, _ in made.offsets])
            within = [tuple(np.searchsorted(starts, span).tolist()) for span in spans]
            ids = np.array(made.ids, np.int32)
            parts = [(a, _ended(ids, a, b, special, tokenizer)) for a, b in within]
            if empty := next((n for n, (a, b) in enumerate(parts, 1) if b <= a), None):
                raise UserError(f"{where}: the tokenizer makes no token of its response {empty}")
            talks.append(_Talk(ids[: parts[-1][1]], parts))
    return talks


def _ended(ids: Array, start: int, end: int, special: set[int], tokenizer: PreTrainedTokenizerBase) -> int:
    """Return where a response ends: behind its last special token, if white space alone follows it."""
    at = next((i for i in range(end, start, -1) if int(ids[i - 1]) in special), end)
    return end if tokenizer.decode(ids[at:end].tolist()).strip() else at


def _end(talks: Sequence[_Talk], special: set[int], where: str) -> int:
    """Return the token that ends all responses: without one a model would never learn where to stop."""
    ends = {int(talk.tokens[end - 1]) for talk in talks for _, end in talk.spans}
    if len(ends) > 1 or not ends <= special:
        raise UserError(
            f"{where}.model: the chat template of its tokenizer must end each response with the same special token, such as "
            "its eos_token, and does not"
        )
    return ends.pop()


def _check_room(talks: Sequence[_Talk], task: TaskPlan, where: str) -> None:
    """Raise UserError for a prompt that leaves no room for its response."""
    before = np.array([talk.spans[0][0] for talk in talks])
    if (long := np.flatnonzero(before >= task.max_length)).size:
        raise UserError(
            f"{where}.max_length: must be above the {before[long[0]]} tokens before the first response of id {long[0]}, which "
            f"leave no room for it, got {task.max_length}; the nearest that works for all is {before.max() + 1}"
        )


def _columns(talks: Sequence[_Talk]) -> dict[str, pa.Array]:
    """Return the tokens of each conversation, and which are of responses, as columns to store."""
    ends = pa.array(np.concatenate([[0], np.cumsum([len(talk.tokens) for talk in talks])]))
    parts = {"tokens": [talk.tokens for talk in talks], "learnt": [talk.learnt for talk in talks]}
    return {name: pa.LargeListArray.from_arrays(ends, pa.array(np.concatenate(part))) for name, part in parts.items()}
