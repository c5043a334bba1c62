"""Reader of csv and tsv files; values stay as written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from csv import QUOTE_NONE, Error, field_size_limit, reader
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.core.errors import UserError
from pipelines.sources.readers.common import Layout, Wanted, check_names, chunks, opened

if TYPE_CHECKING:
    from _csv import Reader


def csv(path: Path, layout: Layout, wanted: Wanted) -> pa.Table:
    """Return the columns of a csv, as ``rows.read`` does.

    Raises:
        UserError: naming the line with wrong quotes or another number of values.
    """
    with opened(path) as file:
        return _table(path, reader(file, strict=True), layout, wanted)


def tsv(path: Path, layout: Layout, wanted: Wanted) -> pa.Table:
    """Return the columns of a tsv, which has no quotes.

    Raises:
        UserError: naming the line with another number of values.
    """
    with opened(path) as file:
        return _table(path, reader(file, delimiter="\t", quoting=QUOTE_NONE), layout, wanted)


def _table(path: Path, lines: Reader, layout: Layout, wanted: Wanted) -> pa.Table:
    field_size_limit(sys.maxsize)
    rows = _numbered(path, lines)
    names = layout.header or next(rows, (0, []))[1]
    check_names(path, names, wanted, separated=True)
    for _ in range(layout.skip):
        next(rows, None)
    picked = _picked(path, rows, len(names), [names.index(name) for name, _ in wanted])
    schema = pa.schema([(name, pa.large_binary()) for name, _ in wanted])
    parts = [pa.table(list(map(_bytes, zip(*chunk, strict=True))), schema=schema) for chunk in chunks(picked)]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _numbered(path: Path, lines: Reader) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its first line."""
    line = 1
    try:
        for row in lines:
            if row:
                yield line, row
            line = lines.line_num + 1
    except Error as error:
        rule = "a quoted value must end with a quote, and quotes inside it must be doubled"
        raise UserError(f"{path}: line {line}: its quotes are wrong ({error}); {rule}") from None


def _picked(path: Path, rows: Iterable[tuple[int, list[str]]], width: int, columns_at: Sequence[int]) -> Iterator[list[bytes]]:
    for line, row in rows:
        if len(row) != width:
            raise UserError(f"{path}: line {line}: must have {width} values, as the first has, got {len(row)}")
        yield [row[column].encode("utf-8", "surrogateescape") for column in columns_at]


def _bytes(values: Sequence[bytes]) -> pa.Array:
    return pa.array(values, pa.large_binary())
