"""Tables of columns, a row an example, that say what they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.arrays import Array
from pipelines.artifacts import digest_of_columns, whole
from pipelines.errors import UserError

#: Of every table that is written; a reader refuses another.
SCHEMA_VERSION = 1
#: What numpy calls what Arrow calls otherwise.
NUMPY_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}
SIGN_CONVENTION = "higher = keep"


def write_table(path: Path, columns: Mapping[str, Array], origin: Mapping[str, object]) -> None:
    """Write ``columns`` ``(N,)`` or ``(N, d)`` as Parquet; its metadata say what they were made from (``origin``)."""
    facts = {"schema_version": SCHEMA_VERSION, "sign": SIGN_CONVENTION, "content": digest_of_columns(columns), **origin}
    table = pa.table({name: _listed(column) for name, column in columns.items()})
    with whole(path) as part:
        pq.write_table(table.replace_schema_metadata({"winnow": json.dumps(facts, sort_keys=True)}), part)


def _listed(column: Array) -> pa.Array:
    """Return a column as Arrow has it: rows ``(N, d)`` are lists of one length."""
    flat = pa.array(column.ravel())
    return flat if column.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, column.shape[1])


def read_table(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the columns of a table that ``write_table`` wrote, and the facts in its metadata.

    Raises:
        UserError: where it is missing, truncated, of another schema, or was changed after it was written.
    """
    try:
        table = pq.ParquetFile(path, memory_map=True).read()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    facts = json.loads((table.schema.metadata or {}).get(b"winnow", b"{}"))
    if facts.get("schema_version") != SCHEMA_VERSION:
        found = facts.get("schema_version")
        raise UserError(f"{path}: schema_version must be {SCHEMA_VERSION}, got {found}; run 'dvc repro' to make it anew")
    columns = {name: _array(table[name]) for name in table.column_names}
    if digest_of_columns(columns) != facts["content"]:
        raise UserError(f"{path}: was changed after it was written; delete it and run 'dvc repro'")
    return columns, facts


def _array(column: pa.ChunkedArray) -> Array:
    """Return a column without nulls as numpy has it.

    Read from the buffers: pyarrow's own ways import pandas, or its compute functions, and outlast most selections.
    """
    whole_column = pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    if pa.types.is_fixed_size_list(column.type):
        return _array(pa.chunked_array([whole_column.flatten()])).reshape(len(whole_column), column.type.list_size)
    buffer, start, count = whole_column.buffers()[1] or b"", whole_column.offset, len(whole_column)
    if pa.types.is_boolean(column.type):
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
        return bits[start : start + count].view(np.bool_)
    kind = np.dtype(NUMPY_NAMES.get(str(column.type), str(column.type)))
    return np.frombuffer(buffer, kind, count, start * kind.itemsize)
