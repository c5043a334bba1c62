"""Lines, chunks and column names, for all readers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import pyarrow as pa

from pipelines.core.errors import UserError, unknown

#: Most rows in memory as Python values at once.
AT_ONCE = 10_000
#: Byte order marks of UTF-16.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
T = TypeVar("T")
#: The columns to read: name and kind of value.
Wanted = Sequence[tuple[str, str]]

#: Kinds of value of a column that may hold lists: of labels, or of numbers.
SETS, NUMBERS = "labels", "numbers"
#: Kind of value of a column of conversations, nested or as JSON; whether they are any, their reader says by id.
CHATS = "messages"


@dataclass(frozen=True)
class Layout:
    """Layout of a csv or tsv.

    Attributes:
        header: column names for a file without a header; None for one with a header.
        skip: number of rows to skip below the header.
    """

    header: list[str] | None = None
    skip: int = 0


def opened(path: Path, newline: str = "") -> IO[str]:
    """Return a file opened as text; bytes that are not UTF-8 become lone surrogates.

    Args:
        path: of the file, which may be gzipped.
        newline: as in ``open``.

    Raises:
        UserError: for a file in UTF-16.
    """
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        if file.read(2) in UTF_16:
            raise UserError(f"{path}: must be UTF-8, got UTF-16; save it as UTF-8")
    found: IO[str] = opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    return found


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows in lists of at most ``AT_ONCE``."""
    chunk: list[T] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def check_names(path: Path, names: Sequence[str], wanted: Wanted, *, separated: bool = False) -> None:
    """Refuse columns that a file lacks or has twice.

    Args:
        path: of the file.
        names: of its columns.
        wanted: the columns to read.
        separated: whether it is a csv or tsv, which may be separated by semicolons by mistake.

    Raises:
        UserError: naming the column.
    """
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: a column's name is not UTF-8") from None
    for name, _ in wanted:
        if name not in names:
            semicolons = separated and ";" in "".join(names)
            hint = "; its values are separated by semicolons, and a csv needs commas" if semicolons else ""
            raise UserError(unknown(f"{path}: columns: {name!r}", "column", name, names) + hint)
        if (found := list(names).count(name)) > 1:
            raise UserError(f"{path}: has {found} columns of the name {name!r}; the name must be there once")


def check_flat(where: Path | str, name: str, one: str, kind: pa.DataType) -> None:
    """Refuse a column of nested values, but for one of lists of labels or numbers, or of conversations.

    Raises:
        UserError: naming the column.
    """
    inner = kind.value_type if one in (SETS, NUMBERS) and _is_list(kind) else kind
    if pa.types.is_nested(inner) and one != CHATS:
        asked = f"a list of {one}" if one in (SETS, NUMBERS) else f"one {one}"
        raise UserError(f"{where}: {name}: must hold {asked} a row, got {kind}")


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
