"""Lines, chunks and column names, for all readers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from pipelines.core.errors import UserError, unknown

#: Rows that are held as Python's own values at once.
AT_ONCE = 10_000
#: How files begin that are no UTF-8.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
T = TypeVar("T")
#: The columns to read, by name and by what they hold a row.
Wanted = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Layout:
    """How the rows of a csv or tsv lie.

    Attributes:
        header: the names of the columns of a file that has none; None for one that has.
        skip: rows below the names that are no examples.
    """

    header: list[str] | None = None
    skip: int = 0


def opened(path: Path, newline: str = "") -> IO[str]:
    """Return a file to be read line by line; what is not UTF-8 comes as lone surrogates.

    Args:
        path: of the file, which may be gzipped.
        newline: as ``open`` has it: "" for what lines of any kind end in.

    Raises:
        UserError: for a file of another encoding of Unicode.
    """
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        if file.read(2) in UTF_16:
            raise UserError(f"{path}: must be UTF-8, got UTF-16; save it as UTF-8")
    found: IO[str] = opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    return found


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows in lists of ``AT_ONCE``, and what is left."""
    chunk: list[T] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def check_names(path: Path, names: Sequence[str], wanted: Wanted, *, separated: bool = False) -> None:
    """Refuse names of columns that are not there, or are there twice.

    Args:
        path: of the file.
        names: that it has.
        wanted: the columns.
        separated: whether it is a csv or tsv, which may be one of semicolons.

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
            hint = "; its values are separated by semicolons, where a csv has commas" if semicolons else ""
            raise UserError(unknown(f"{path}: columns: {name!r}", "column", name, names) + hint)
        if (found := list(names).count(name)) > 1:
            raise UserError(f"{path}: has {found} columns of the name {name!r}; the name must be there once")
