"""Reader of csv, tsv, jsonl and parquet files, by suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from pipelines.core.errors import UserError
from pipelines.sources.readers.common import Layout, Wanted, check_flat, check_names
from pipelines.sources.readers.delimited import csv, tsv
from pipelines.sources.readers.json_lines import objects

#: Known suffixes, for errors; in a package .txt is also known, as a tsv.
KNOWN = ".csv, .tsv, .tab, .jsonl and .parquet; all but the last also with .gz"
#: Remedies for some other suffixes.
REMEDIES = {".txt": "; rename a table of tabs to .tsv"} | dict.fromkeys((".xls", ".xlsx"), "; save the sheet as csv")


def read(path: Path, layout: Layout, wanted: Wanted, *, packed: bool = False) -> pa.Table:
    """Return the columns ``wanted`` of a file.

    Texts of csv, tsv and jsonl are returned as bytes, not yet decoded.

    Args:
        path: of the file; quotes in a tsv have no meaning.
        layout: of a csv or tsv.
        wanted: the columns to read.
        packed: whether the file is from a package.

    Raises:
        UserError: naming the file, and the line or column that cannot be read.
    """
    reader = READERS[_suffix(path, packed)]
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: is empty")
        table = reader(path, layout, wanted)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, EOFError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    if not len(table):
        raise UserError(f"{path}: has no rows")
    return table


def _suffix(path: Path, packed: bool) -> str:
    """Return the key in ``READERS`` of a file's reader."""
    gzipped = path.suffix.lower() == ".gz"
    suffix = Path(path.stem if gzipped else path).suffix.lower()
    if packed and suffix == ".txt":
        return ".tsv"
    if suffix not in READERS or (suffix == ".parquet" and gzipped):
        got = path.suffix or "no suffix"
        raise UserError(f"{path}: must end in one of {KNOWN}, got {got!r}{REMEDIES.get(suffix, '')}")
    return suffix


def _parquet(path: Path, layout: Layout, wanted: Wanted) -> pa.Table:
    schema = pa.parquet.read_schema(path)
    check_names(path, schema.names, wanted)
    for name, one in wanted:
        check_flat(path, name, one, schema.field(name).type)
    return pa.parquet.read_table(path, columns=list(dict.fromkeys(name for name, _ in wanted)))


READERS: dict[str, Callable[[Path, Layout, Wanted], pa.Table]] = {
    ".csv": csv,
    ".tsv": tsv,
    ".tab": tsv,
    ".json": objects,
    ".jsonl": objects,
    ".parquet": _parquet,
}
