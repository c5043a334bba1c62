"""Transcripts as tokens: normalised, spelt by the training split's characters or a model's tokenizer."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.config.schema.audio import Transcript
from pipelines.core.errors import UserError
from pipelines.data.manifest import AudioFacts, InputFacts
from pipelines.data.sequences.pairs import REFERENCE, Encoded
from pipelines.sources import pretrained
from pipelines.sources.raw import Raw
from pipelines.sources.sounds import listeners
from pipelines.sources.sounds.speech import FRAMES, LENGTH, spoken

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

#: Tokens of a vocabulary of characters that are none: the blank, whose id is 0, and the space.
BLANK, SPACE = "<pad>", "|"
#: Apostrophes, which stay between letters, and what becomes of them.
APOSTROPHES, APOSTROPHE = "'\u2019", "'"
#: Key of the transcripts in ``Raw.inputs``.
TRANSCRIPT = "transcript"


def normalised(text: str, settings: Transcript) -> str:
    """Return ``text`` as the task's key ``transcript`` says; it may be empty."""
    text = unicodedata.normalize("NFC", text)
    if settings.punctuation == "drop":
        text = "".join(_plain(text, i) for i in range(len(text)))
    cased = {"keep": text, "lower": text.lower(), "upper": text.upper()}[settings.case]
    return " ".join(cased.split())


def _plain(text: str, i: int) -> str:
    """Return the i-th character of ``text``, a space if it is punctuation or a symbol."""
    if text[i] in APOSTROPHES and text[max(0, i - 1)].isalpha() and text[i + 1 : i + 2].isalpha():
        return APOSTROPHE
    return " " if unicodedata.category(text[i])[0] in "PS" else text[i]


def check(texts: Sequence[object], task: TaskPlan) -> None:
    """Refuse transcripts that are none, or of which nothing is left.

    Raises:
        UserError: naming the id of the first.
    """
    settings = task.transcript or Transcript()
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            hint = "" if task.drop_empty else "; 'drop_empty: true' leaves rows without one out"
            raise UserError(f"{task.name}: {task.columns.transcript} of id {i} must be a transcript, got {text!r}{hint}")
        if not normalised(text, settings):
            raise UserError(
                f"{task.name}: {task.columns.transcript} of id {i}: nothing is left of {text!r} with "
                f"'punctuation: {settings.punctuation}'; correct or leave out the row"
            )


def encoded(raw: Raw, task: TaskPlan, train: Array) -> Encoded:
    """Return the transcripts of sounds as columns, and fit the sounds to them.

    Args:
        raw: with sounds and transcripts, which ``check`` passed.
        task: as planned.
        train: ids of the training split, whose characters are the vocabulary unless it is the model's own.

    Raises:
        UserError: for a character that the vocabulary lacks, or a model that hears no tokens.
    """
    where, settings = f"params.yaml: tasks.{task.name}", task.transcript or Transcript()
    texts = [normalised(str(text), settings) for text in raw.inputs[TRANSCRIPT]]
    sounds = spoken(raw.pixels)
    own = settings.vocabulary != "characters" and task.tokenizer is not None
    tokenizer = _own_tokenizer(task, where) if own else of_characters([texts[i] for i in train])
    config = _config(task, sounds.shape, len(tokenizer), where)
    tokens = _tokens(texts, tokenizer, task) if own else _characters(texts, tokenizer.get_vocab(), task)
    blank, vocabulary = (_blank(config, tokenizer, where), config.vocab_size) if own else (0, len(tokenizer))
    try:
        sounds.moments_to_frames = listeners.frames_of(config)
    except ValueError as error:
        raise UserError(f"{where}.model: {error}") from None
    sounds.needed = np.array([frames_needed(each) for each in tokens])
    audio = AudioFacts(features=sounds.features.name, sampling_rate=sounds.features.rate, seconds=_seconds(raw))
    facts = InputFacts(shape=list(sounds.shape), audio=audio, pad=blank, vocabulary=vocabulary)
    return Encoded(_columns(raw, texts, tokens), facts, None if own else tokenizer)


def _seconds(raw: Raw) -> float:
    features = spoken(raw.pixels).features
    return features.samples / features.rate


def _columns(raw: Raw, texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> dict[str, pa.Array]:
    """Return the columns to store; lengths are written with the features."""
    none = pa.array(np.zeros(len(texts), np.int32))
    listed = pa.array(tokens, pa.large_list(pa.int32()))
    files = pa.array(raw.inputs["audio"], pa.string())
    return {"file": files, "tokens": listed, REFERENCE: pa.array(texts), LENGTH: none, FRAMES: none}


def frames_needed(tokens: Sequence[int]) -> int:
    """Return the frames that CTC needs for ``tokens``: one each, and a blank between two that are the same."""
    return len(tokens) + sum(a == b for a, b in pairwise(tokens))


def of_characters(texts: Sequence[str]) -> PreTrainedTokenizerBase:
    """Return a tokenizer of the characters of ``texts``, in Unicode's order behind the blank and the space."""
    from transformers import Wav2Vec2CTCTokenizer

    found = sorted(set("".join(texts)) - {" ", SPACE})
    vocabulary = {token: i for i, token in enumerate([BLANK, SPACE, *found])}
    with TemporaryDirectory(prefix="winnow-") as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps(vocabulary), encoding="utf-8")
        return Wav2Vec2CTCTokenizer(
            str(path), pad_token=BLANK, word_delimiter_token=SPACE, unk_token=None, bos_token=None, eos_token=None
        )


def _characters(texts: Sequence[str], vocabulary: dict[str, int], task: TaskPlan) -> list[list[int]]:
    """Return the ids of the characters of ``texts``."""
    ids = {token: i for token, i in vocabulary.items() if len(token) == 1 and token != SPACE} | {" ": vocabulary[SPACE]}
    for i, text in enumerate(texts):
        if lacking := sorted(set(text) - ids.keys()):
            no_space = "; it stands for the space" if SPACE in lacking else ""
            raise _lacks(i, lacking, task, f"no transcript of the training split has{no_space}")
    return [[ids[character] for character in text] for text in texts]


def _lacks(i: int, lacking: Sequence[str], task: TaskPlan, why: str) -> UserError:
    named = ", ".join(map(repr, lacking))
    return UserError(
        f"{task.name}: {task.columns.transcript} of id {i}: has {named}, which {why}; leave the row out, or set "
        "transcript.case or transcript.punctuation"
    )


def _own_tokenizer(task: TaskPlan, where: str) -> PreTrainedTokenizerBase:
    try:
        return pretrained.tokenizer(task.tokenizer)
    except UserError as error:
        raise UserError(f"{error} ({where}.transcript.vocabulary: 'characters' makes one of the training split)") from None


def _tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, task: TaskPlan) -> list[list[int]]:
    """Return the ids of ``texts`` by the model's own tokenizer."""

    def ids_of(text: str) -> list[int]:
        found: list[int] = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
        return found

    found, unknown = [ids_of(text) for text in texts], {None, tokenizer.unk_token_id}
    for i, ids in enumerate(found):
        if not ids or unknown & set(ids):
            lacking = [c for c in sorted(set(texts[i])) if unknown & set(ids_of(c))]
            raise _lacks(i, lacking or [texts[i]], task, "the model's tokenizer does not know")
    return found


def _blank(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, where: str) -> int:
    """Return the id of the blank, which transformers calls the padding."""
    if config.pad_token_id != tokenizer.pad_token_id or not tokenizer.pad_token_id < config.vocab_size >= len(tokenizer):
        raise UserError(
            f"{where}.model: its tokenizer must pad with its blank and have no more tokens than its head: got "
            f"{tokenizer.pad_token_id} of {len(tokenizer)} for {config.pad_token_id} of {config.vocab_size}; "
            "transcript.vocabulary: 'characters' gives it a new head"
        )
    return int(config.pad_token_id)


def _config(task: TaskPlan, shape: tuple[int, ...], vocabulary: int, where: str) -> PretrainedConfig:
    """Return the configuration of the task's model."""
    if task.tokenizer is not None:
        return pretrained.config(task.tokenizer)
    assert task.listener is not None, "the plan of an untrained model of transcripts"
    try:
        return listeners.untrained(task.listener, shape[1] if len(shape) > 1 else None, vocab_size=vocabulary, pad_token_id=0)
    except Exception as error:  # configurations check themselves by errors of their own
        raise UserError(f"{where}.model: {(str(error).splitlines() or [''])[-1].strip()}") from None
