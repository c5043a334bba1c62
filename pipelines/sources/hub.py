"""Data sets of the hub, by the ``datasets`` library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.errors import UserError, unknown
from pipelines.sources.images import decoding, stacked
from pipelines.sources.raw import Raw
from pipelines.sources.tables import of_tables


def from_hub(task: dict[str, Any]) -> Raw:
    """Return a data set of the hub, at its revision, as raw data."""
    from datasets import load_dataset

    source = task["source"]

    def split(name: str | None) -> Any:  # noqa: ANN401 - a datasets.Dataset
        return None if name is None else load_dataset(source["id"], source["config"], split=name, revision=source["revision"])

    try:
        parts = [split(source["train_split"]), split(source["test_split"])]
    except Exception as error:  # whatever the hub's client raises, it is the same to the user
        raise UserError(f"hub data set {source['id']} at {source['revision']}: cannot be loaded: {error}") from None
    return of_datasets(task, parts)


def of_datasets(task: dict[str, Any], parts: Sequence[Any]) -> Raw:
    """Return splits of the ``datasets`` library (training, and testing or None) as raw data."""
    given = [p for p in parts if p is not None]
    origin = task["source"].get("id", "data set")
    columns = task["columns"]
    if task["kind"] != "image":
        names = _class_names(given[0], columns.get("label"))
        return of_tables(task, [p.data.table for p in given], [f"{origin}: {s}" for s in ("training", "test")], names)
    for part in given:
        for column in columns.values():
            if column not in part.column_names:
                raise UserError(unknown(f"{origin}: columns: {column!r}", "column", column, part.column_names))
    label = np.concatenate([np.asarray(p[columns["label"]]) for p in given])
    tested = None if len(given) == 1 else np.arange(len(label)) >= len(given[0])
    images = stacked(_opened(given, columns["image"]), task["image_size"])
    return Raw({"image": images}, label, tested, _class_names(given[0], columns["label"]))


def _class_names(split: Any, column: str | None) -> list[str] | None:  # noqa: ANN401 - a datasets.Dataset
    """Return the names that a column of classes says its numbers stand for; None where it says none."""
    return getattr(split.features.get(column), "names", None)


def _opened(parts: Sequence[Any], column: str) -> Iterator[tuple[str, Any]]:
    """Yield the images of splits of the ``datasets`` library, which decodes them on the way."""
    rows = (row for part in parts for row in part)
    for i in range(sum(len(part) for part in parts)):
        with decoding(f"id {i}"):
            image = next(rows)[column]
        if image is None:
            raise UserError(f"image id {i}: there is none")
        yield f"id {i}", image
