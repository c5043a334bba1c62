"""Encoding of inputs as stored columns, with their metadata."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from components.arrays import Array
from components.tasks.column_encoding import Category, Feature, Number, matrix
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data import tokenization
from pipelines.data.manifest import AudioFacts, InputFacts, SplitCounts
from pipelines.data.numeric.reading import check_scale, numbers
from pipelines.sources.pixel_writer import WithCopies
from pipelines.sources.raw import Column, Raw
from pipelines.sources.readers.common import CHATS
from pipelines.sources.sounds.writer import Sounds

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: The columns to store, ``(N,)`` each, their metadata, and a tokenizer trained on them.
Stored = tuple[dict[str, pa.Array], InputFacts, "PreTrainedTokenizerBase | None"]
#: "train" and "test" -> their ids.
Splits = dict[str, Array]


def check(raw: Raw, task: TaskPlan) -> None:
    """Refuse values of a text column, or transcripts, that are empty or no text.

    Raises:
        UserError: naming the id of the first.
    """
    if task.predicts == "transcript":
        from pipelines.data.sequences import transcripts

        transcripts.check(list(raw.inputs[transcripts.TRANSCRIPT]), task)
    if task.kind not in ("text", "language", "seq2seq", "instructions"):
        return
    for name, values in raw.inputs.items():
        if name == CHATS:
            continue  # which are checked turn by turn as they are read
        bad = next((i for i, v in enumerate(values) if not isinstance(v, str) or not v.strip()), None)
        if bad is not None:
            hint = "" if task.drop_empty else "; 'drop_empty: true' leaves rows without a text out"
            raise UserError(f"{task.name}: {name} of id {bad} must be a text, got {values[bad]!r}{hint}")


def encode(raw: Raw, task: TaskPlan, train: Array, test: Array) -> Stored:
    """Return the columns to store; statistics are fitted on the ids ``train`` alone."""
    return KINDS[task.kind](raw, task, {"train": train, "test": test})


def _images(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    """Return no column: pixels and their statistics are written after the rest."""
    assert raw.pixels is not None
    return {}, InputFacts(shape=list(raw.pixels.shape)), None


def _sounds(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    """Return the path of each file; features and their statistics are written after the rest."""
    if task.predicts == "transcript":
        from pipelines.data.sequences import transcripts

        found = transcripts.encoded(raw, task, splits["train"])
        return found.columns, found.facts, found.tokenizer
    base = raw.pixels.base if isinstance(raw.pixels, WithCopies) else raw.pixels
    assert isinstance(base, Sounds)
    own = base.features
    audio = AudioFacts(features=own.name, sampling_rate=own.rate, seconds=own.samples / own.rate)
    return {"file": pa.array(raw.inputs["audio"], pa.string())}, InputFacts(shape=list(base.shape), audio=audio), None


def listed(rows: Array) -> pa.Array:
    """Return ``rows`` ``(N, ...)`` as fixed-size lists with the array's memory layout."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), int(np.prod(rows.shape[1:])))


def labels(rows: Array) -> Array | pa.Array:
    """Return labels to store: several classes ``(N, C)`` as fixed-size lists, others ``(N,)`` as they are."""
    return rows if rows.ndim == 1 else listed(rows)


def _texts(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    found = tokenization.encoded(list(raw.texts.values()), task)
    ends = pa.array(np.concatenate([[0], np.cumsum(found.sizes)]))
    columns = {"tokens": pa.LargeListArray.from_arrays(ends, pa.array(found.tokens))}
    if found.second is not None:
        columns["second"] = pa.array(found.second)
    truncated = SplitCounts(train=int(found.cut[splits["train"]].sum()), test=int(found.cut[splits["test"]].sum()))
    facts = InputFacts(pad=found.pad, vocabulary=found.vocabulary, max_length=task.max_length, truncated=truncated)
    return columns | {name: pa.array(values) for name, values in raw.inputs.items()}, facts, None


def _pairs(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    from pipelines.data.sequences import pairs

    found = pairs.encoded(raw.texts["source"], raw.texts["target"], task, splits["train"], splits["test"])
    return found.columns, found.facts, found.tokenizer


def _instructions(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    from pipelines.data.sequences import instructions

    found = instructions.encoded(raw.inputs, task, splits["train"], splits["test"])
    return found.columns, found.facts, found.tokenizer


def _tables(raw: Raw, task: TaskPlan, splits: Splits) -> Stored:
    """Return the rows of a table as one matrix: numbers, then categories, then date parts."""
    named, where = task.columns, f"{task.name}: {{}}"
    features: list[Feature] = []
    values: list[Array] = []
    for column in named.numbers:
        values.append(numbers(raw.inputs[column], where.format(column)))
        check_scale(values[-1], splits["train"], where.format(column))
        features.append(Number.fitted(column, values[-1], splits["train"]))
    categories = {column: _categories(raw.inputs[column]) for column in named.categories}
    for column in named.dates:
        categories |= _dates(column, raw.inputs[column], where.format(column))
    for column, read in categories.items():
        try:
            features.append(Category.fitted(column, read, splits["train"]))
        except ValueError as error:
            raise UserError(f"{where.format(column)}: {error}") from None
        values.append(read)
    rows = matrix(features, values)
    return {"row": listed(rows)}, InputFacts(shape=[rows.shape[1]], features=[f.record() for f in features]), None


def _categories(values: Column) -> Array:
    """Return each value as text, or None if it is missing."""
    missing = (v is None or v == "" or v != v for v in values)
    return np.array([None if m else str(v) for m, v in zip(missing, values, strict=True)], object)


def _dates(column: str, values: Column, where: str) -> dict[str, Array]:
    """Return the weekday, month and year of each date, or None if it is missing."""
    parts: list[tuple[str | None, str | None, str | None]] = []
    for i, value in enumerate(values):
        try:
            day = None if value in (None, "") else value if isinstance(value, date) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise UserError(f"{where} of id {i} must be a date such as 2011-12-31, got {value!r}") from None
        parts.append((None, None, None) if day is None else (WEEKDAYS[day.weekday()], f"{day.month:02d}", str(day.year)))
    names = ("weekday", "month", "year")
    return {f"{column}.{name}": np.array([p[k] for p in parts], object) for k, name in enumerate(names)}


KINDS: dict[str, Callable[[Raw, TaskPlan, Splits], Stored]] = {
    "text": _texts,
    "image": _images,
    "table": _tables,
    "seq2seq": _pairs,
    "instructions": _instructions,
    "audio": _sounds,
}
