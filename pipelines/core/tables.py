"""Tables of examples as Parquet, with hashes of their contents and inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.arrays import Array
from pipelines.core.artifacts import digest_of_columns, start_digest, whole
from pipelines.core.errors import UserError

if TYPE_CHECKING:
    from pydantic import JsonValue

#: Version in the metadata of every table; readers refuse any other.
SCHEMA_VERSION = 2
#: Numpy's names of Arrow types, where they differ.
NUMPY_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}
CHANGED = "was changed after it was written; delete it and run 'dvc repro'"
SIGN_CONVENTION = "higher = keep"


def write_table(path: Path, columns: Mapping[str, Array], origin: Mapping[str, object]) -> None:
    """Write ``columns`` ``(N,)`` or ``(N, d)`` as Parquet, with their inputs (``origin``) in the metadata."""
    digests = {name: digest_of_columns({name: column}) for name, column in columns.items()}
    facts = {"schema_version": SCHEMA_VERSION, "sign": SIGN_CONVENTION, "content": digest_of_columns(columns), **origin}
    facts["columns"] = digests
    table = pa.table({name: _listed(column) for name, column in columns.items()})
    with whole(path) as part:
        pq.write_table(table.replace_schema_metadata({"winnow": json.dumps(facts, sort_keys=True)}), part)


def _listed(column: Array) -> pa.Array:
    """Return a column as an Arrow array: rows ``(N, d)`` become fixed-size lists."""
    flat = pa.array(column.ravel())
    return flat if column.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, column.shape[1])


def read_table(path: Path) -> tuple[dict[str, Array], dict[str, JsonValue]]:
    """Return the columns and metadata of a table that ``write_table`` wrote.

    Raises:
        UserError: if it is missing, truncated, of another schema, or was changed after it was written.
    """
    table, facts = open_table(path)
    return dict(table), facts


def open_table(path: Path) -> tuple[Table, dict[str, JsonValue]]:
    """Return a table that ``write_table`` wrote, its columns still unread, and its metadata.

    Raises:
        UserError: if it is missing, truncated or of another schema.
    """
    try:
        file = pq.ParquetFile(path, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    facts = json.loads((file.schema_arrow.metadata or {}).get(b"winnow", b"{}"))
    if facts.get("schema_version") != SCHEMA_VERSION:
        found = facts.get("schema_version")
        raise UserError(f"{path}: schema_version must be {SCHEMA_VERSION}, got {found}; run 'dvc repro' to make it anew")
    if sorted(file.schema_arrow.names) != sorted(facts["columns"]):
        raise UserError(f"{path}: {CHANGED}")
    return Table(path, file, facts["columns"]), facts


class Table(Mapping[str, Array]):
    """Columns of a table on disk, each read and verified by digest on first access."""

    def __init__(self, path: Path, file: pq.ParquetFile, digests: Mapping[str, str]) -> None:
        """Wrap ``file``, unread, with the ``digests`` of its columns by name."""
        self._path, self._file, self._digests = path, file, digests
        self._read: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._read:
            parts = self._parts(name)
            first = next(parts)
            column = np.empty((self.rows, *first.shape[1:]), first.dtype)
            column[: len(first)], end = first, len(first)
            for part in parts:
                column[end : end + len(part)], end = part, end + len(part)
            self._read[name] = column
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._digests

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.schema_arrow.names)

    def __len__(self) -> int:
        return len(self._file.schema_arrow.names)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    def at(self, name: str, indices: Array) -> Array:
        """Return a column's values ``(K,)`` at sorted ``indices``, without the whole column in memory."""
        found, end = [], 0
        for part in self._parts(name):
            first, last = np.searchsorted(indices, [end, end + len(part)])
            found.append(part[indices[first:last] - end])
            end += len(part)
        return np.concatenate(found)

    def _parts(self, name: str) -> Iterator[Array]:
        """Yield a column's row groups, and verify its digest at the end.

        Raises:
            UserError: if the digest differs.
        """
        if name not in self._digests:
            raise KeyError(name)
        sha = None
        try:
            for group in range(max(1, self._file.num_row_groups)):
                some = [group] if self._file.num_row_groups else []
                part = _array(self._file.read_row_groups(some, columns=[name])[name])
                if sha is None:
                    sha = start_digest(name, part.dtype, (self.rows, *part.shape[1:]))
                sha.update(part.data)
                yield part
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{self._path}: cannot be read: {error}") from None
        if sha is None or sha.hexdigest() != self._digests[name]:
            raise UserError(f"{self._path}: {CHANGED}")


def _array(column: pa.ChunkedArray) -> Array:
    """Return a column without nulls as a numpy array.

    It reads the buffers, since pyarrow's own conversions import pandas or compute functions, slower than most selections.
    """
    whole_column = pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    if pa.types.is_fixed_size_list(column.type):
        return _array(pa.chunked_array([whole_column.flatten()])).reshape(len(whole_column), column.type.list_size)
    if pa.types.is_string(column.type):
        return np.array(whole_column.to_pylist(), str)
    buffer, start, count = whole_column.buffers()[1] or b"", whole_column.offset, len(whole_column)
    if pa.types.is_boolean(column.type):
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
        return bits[start : start + count].view(np.bool_)
    kind = np.dtype(NUMPY_NAMES.get(str(column.type), str(column.type)))
    return np.frombuffer(buffer, kind, count, start * kind.itemsize)
