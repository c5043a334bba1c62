"""Data sets of the Hugging Face hub, by the ``datasets`` library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromHub
from pipelines.core.errors import UserError, unknown
from pipelines.sources import hub_status
from pipelines.sources.parallel_decoding import Pictures
from pipelines.sources.picture_decoding import Item
from pipelines.sources.raw import Raw, splits_of
from pipelines.sources.sounds import reading
from pipelines.sources.tables import LISTS, objects, of_tables

if TYPE_CHECKING:
    from datasets import Dataset


def from_hub(source: FromHub, task: TaskPlan) -> Raw:
    """Return a data set of the hub, at its revision, as raw data."""
    if not Path(source.id).exists():
        hub_status.away()  # called before the import, which reads HF_HUB_OFFLINE
    from datasets import load_dataset

    def split(name: str | None) -> Dataset | None:
        return None if name is None else load_dataset(source.id, source.config, split=name, revision=source.revision)

    try:
        parts = [split(name) for name in (source.train_split, source.test_split, source.validation_split)]
    except Exception as error:  # the hub's client has no common exception
        raise UserError(
            f"hub data set {source.id} at {source.revision}: cannot be loaded: {hub_status.error_text(error)}"
        ) from None
    return of_datasets(task, parts, source.id)


def of_datasets(task: TaskPlan, parts: Sequence[Dataset | None], origin: str) -> Raw:
    """Return splits of the ``datasets`` library as raw data; errors name ``origin``.

    Args:
        task: planned.
        parts: training, and test and validation or None.
        origin: name of the data set.
    """
    given = [p for p in parts if p is not None]
    columns = task.columns
    if task.kind not in ("image", "audio"):
        names = _class_names(given[0], columns.label)
        tables = [None if p is None else p.data.table for p in parts]
        return of_tables(task, tables, [f"{origin}: {s}" for s in ("training", "test", "validation")], names)
    for part in given:
        for column in columns.named():
            if column not in part.column_names:
                raise UserError(unknown(f"{origin}: columns: {column!r}", "column", column, part.column_names))
    if task.predicts == "transcript":
        label = np.zeros(sum(map(len, given)), np.int64)
    elif isinstance(columns.label, list):
        label = objects([list(row) for p in given for row in zip(*(p[name] for name in columns.label), strict=True)])
    elif task.predicts in LISTS:
        label = objects([value for p in given for value in p[columns.label]])
    else:
        label = np.concatenate([np.asarray(p[columns.label]) for p in given])
    kinds = [kind for kind, part in enumerate(parts) if part is not None]
    kind = np.repeat(kinds, [len(part) for part in given])
    tested, validates = splits_of(kind, kinds)
    items = _items(given, str(getattr(columns, task.kind)), origin, task.kind)
    group = None if columns.group is None else np.concatenate([np.asarray(p[columns.group]).astype(str) for p in given])
    names = None if columns.label is None else _class_names(given[0], columns.label)
    raw = Raw({}, label, tested, names, validates=validates, group=group)
    if task.kind == "audio":
        texts = {} if columns.transcript is None else {"transcript": [t for p in given for t in p[columns.transcript]]}
        named = replace(raw, inputs={reading.PATH: [f"{origin}: id {i}" for i in range(len(label))], **texts})
        return reading.with_sounds(named, len(label), items, task)
    return replace(raw, pixels=Pictures(len(label), items, task.image_size))


def _class_names(split: Dataset, column: str | list[str] | None) -> list[str] | None:
    """Return the class names of a column of labels or of lists of labels, None if it has none."""
    found = None if isinstance(column, list) else split.features.get(column)
    return getattr(getattr(found, "feature", found), "names", None)


def _items(parts: Sequence[Dataset], column: str, origin: str, kind: str) -> Callable[[int], Item]:
    """Return a function from an id to its encoded image or sound, by ``kind``, in splits of the ``datasets`` library."""
    from datasets import Audio, Image

    feature = Image if kind == "image" else Audio

    if bad := next((f for p in parts if not isinstance(f := p.features[column], feature)), None):
        nouns = {"image": "images", "audio": "sounds"}
        raise UserError(f"{origin}: columns.{kind}: {column!r} must be a column of {nouns[kind]}, got {bad}")
    encoded = [part.select_columns(column).cast_column(column, feature(decode=False)) for part in parts]
    ends = np.cumsum([len(part) for part in parts])

    def item(i: int) -> Item:
        part = int(np.searchsorted(ends, i, side="right"))
        found = encoded[part][i - int(ends[part])][column]
        if found is None or not (found["bytes"] or found["path"]):
            raise UserError(f"{'image' if kind == 'image' else 'sound'} id {i}: is missing")
        return Item(f"id {i}", found["path"] if found["bytes"] is None else None, found["bytes"])

    return item
