"""Prepared splits on disk: memory-mapped Arrow streams (``datasets.Dataset.from_file`` reads them too)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from components.arrays import Array
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.manifest import Manifest

if TYPE_CHECKING:
    from components.tasks.examples import Examples


@dataclass(frozen=True)
class Split:
    """A prepared split.

    Attributes:
        examples: N of them, memory-mapped.
        ids: ``(N,)`` int64, each example's permanent id.
        table: all stored columns, texts included.
    """

    examples: Examples
    ids: Array
    table: pa.Table

    def relabelled(self, target: Array, outputs: int) -> Split:
        """Return this split with other labels ``(N,)``, of ``outputs`` classes."""
        examples = copy.copy(self.examples)
        examples.target, examples.outputs = target, outputs
        return replace(self, examples=examples)


def write_split(path: Path, table: pa.Table) -> None:
    """Write ``table`` as one record batch, so that every column is contiguous in memory."""
    with artifacts.whole(path) as part, pa.OSFile(str(part), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table.combine_chunks())


def read_split(name: str, manifest: Manifest, folder: Path | None = None) -> Split:
    """Return the split ``name`` of the prepared data (or of ``folder``), memory-mapped.

    Raises:
        UserError: if it is missing or truncated.
    """
    path = (folder or artifacts.PREPARED) / f"{name}.arrow"
    try:
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}; run 'dvc repro -f prepare'") from None
    if len(table) != (count := getattr(manifest.counts, name)):
        raise UserError(f"{path}: must hold {count} examples, got {len(table)}; run 'dvc repro -f prepare'")
    return Split(_examples(table, manifest), table["id"].to_numpy(), table)


def _examples(table: pa.Table, manifest: Manifest) -> Examples:
    from components.tasks.image import Images
    from components.tasks.language import Blocks
    from components.tasks.sequences import Conversations, Pairs
    from components.tasks.sound import Sounds, Transcribed
    from components.tasks.table import Records
    from components.tasks.text import Texts

    if manifest.kind == "language":
        return Blocks(_rows(table["tokens"], manifest))
    if manifest.kind == "seq2seq":
        pad, start = _known(manifest, "pad", "start")
        return Pairs(*_listed(table), table["second"].to_numpy(), manifest.outputs, pad, start)
    if manifest.kind == "instructions":
        (pad,) = _known(manifest, "pad")
        return Conversations(*_listed(table), table["learnt"].chunk(0).values.to_numpy(), manifest.outputs, pad)
    if manifest.target == "transcript":
        lengths, frames = (table[name].to_numpy() for name in ("length", "frames"))
        return Transcribed(_rows(table["sound"], manifest), lengths, frames, *_listed(table))
    label, outputs = labels_of(table["label"]), manifest.outputs
    if manifest.kind in ("image", "audio"):
        assert manifest.mean is not None
        assert manifest.deviation is not None
        if manifest.kind == "audio":
            return Sounds(_rows(table["sound"], manifest), label, outputs, manifest.mean, manifest.deviation)
        return Images(_rows(table["pixels"], manifest), label, outputs, manifest.mean, manifest.deviation)
    if manifest.kind == "table":
        return Records(_rows(table["row"], manifest), label, outputs)
    second = table["second"].to_numpy() if "second" in table.column_names else None
    (pad,) = _known(manifest, "pad")
    return Texts(*_listed(table), label, outputs, pad, second)


def _known(manifest: Manifest, *keys: str) -> list[int]:
    """Return the values of ``keys`` that every manifest of the kind has."""
    values = [getattr(manifest, key) for key in keys]
    assert None not in values, f"the manifest of {manifest.kind} has {', '.join(keys)}"
    return values


def _listed(table: pa.Table) -> tuple[Array, Array]:
    """Return the tokens of all rows, concatenated, and the start of each, without a copy."""
    tokens = table["tokens"].chunk(0)
    return tokens.values.to_numpy(), tokens.offsets.to_numpy()


def labels_of(column: pa.ChunkedArray) -> Array:
    """Return labels ``(N,)``, or ``(N, C)`` where examples have several classes, without a copy."""
    if not pa.types.is_fixed_size_list(column.type):
        single: Array = column.to_numpy()
        return single
    rows: Array = column.chunk(0).flatten().to_numpy().reshape(len(column), column.type.list_size)
    return rows


def _rows(column: pa.ChunkedArray, manifest: Manifest) -> Array:
    """Return fixed-size lists as an array ``(N, *shape)``, without a copy."""
    assert manifest.shape is not None
    rows: Array = column.chunk(0).flatten().to_numpy().reshape(len(column), *manifest.shape)
    return rows
