"""Reader of JSON lines; texts become bytes, other values stay as in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import JsonValue

from pipelines.core.errors import UserError
from pipelines.sources.readers.common import CHATS, NUMBERS, SETS, Layout, Wanted, check_names, chunks, opened

#: Types of a column of lists, of labels and of numbers.
LABELS, FLOATS = pa.list_(pa.string()), pa.list_(pa.float64())


def objects(path: Path, layout: Layout, wanted: Wanted) -> pa.Table:
    """Return the columns of a file with one JSON object per line, as ``rows.read`` does.

    Raises:
        UserError: naming the line or column that cannot be read.
    """
    names: dict[str, None] = {}
    columns: list[list[pa.Array]] = [[] for _ in wanted]
    with opened(path, "\n") as file:
        for chunk in chunks(_parsed(path, file)):
            for _, row in chunk:
                names |= dict.fromkeys(row)
            for column, (name, one) in enumerate(wanted):
                columns[column].append(_uniform_values(path, name, one, [(line, row.get(name)) for line, row in chunk]))
    check_names(path, list(names), wanted)
    joined = [_joined(path, name, parts) for (name, _), parts in zip(wanted, columns, strict=True)]
    return pa.table(dict(zip([name for name, _ in wanted], joined, strict=True)))


def _parsed(path: Path, file: Iterable[str]) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    """Yield the objects, each with the number of its line."""
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        if line == 1 and text.lstrip().startswith("["):
            raise UserError(f"{path}: must have one JSON object a line, got an array; 'jq -c .[]' converts it")
        try:
            row = json.loads(text)
        except ValueError as error:
            raise UserError(f"{path}: line {line}: is no JSON object: {error}") from None
        if not isinstance(row, dict):
            raise UserError(f"{path}: line {line}: must be a JSON object, got {text.strip()[:40]!r}")
        yield line, row


def _uniform_values(path: Path, name: str, one: str, values: Sequence[tuple[int, JsonValue]]) -> pa.Array:
    """Return a JSON column as an array; refuse texts mixed with numbers."""
    if one == CHATS:
        return pa.array([None if v is None else json.dumps(v).encode() for _, v in values], pa.large_binary())
    if one == SETS and any(isinstance(value, list) for _, value in values):
        return _label_lists(path, name, values)
    if one == NUMBERS and any(isinstance(value, list) for _, value in values):
        return _number_lists(path, name, values)
    for line, value in values:
        if isinstance(value, dict | list):
            raise UserError(f"{path}: {name}: must hold one {one} a row, got {json.dumps(value)[:40]} in line {line}")
    found = [value for _, value in values]
    if all(value is None or isinstance(value, str) for value in found):
        return pa.array(
            [v.encode("utf-8", "surrogateescape") if isinstance(v, str) else None for v in found], pa.large_binary()
        )
    try:
        return pa.array(found)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        line, value = next((at, v) for at, v in values if v is not None and type(v) is not type(found[0]))
        both = f"{found[0]!r} in line {values[0][0]} and {value!r} in line {line}"
        raise UserError(f"{path}: {name}: must hold texts or numbers alone, got {both}") from None


def _label_lists(path: Path, name: str, values: Sequence[tuple[int, JsonValue]]) -> pa.Array:
    """Return lists of labels, texts or whole numbers, as lists of texts."""
    for line, value in values:
        labels = [] if value is None else value
        if not isinstance(labels, list) or any(isinstance(v, bool) or not isinstance(v, str | int) for v in labels):
            shown = json.dumps(value)[:40]
            raise UserError(f"{path}: {name}: must hold lists of texts or whole numbers, got {shown} in line {line}")
    return pa.array([None if v is None else list(map(str, v)) for _, v in values if v is None or isinstance(v, list)], LABELS)


def _number_lists(path: Path, name: str, values: Sequence[tuple[int, JsonValue]]) -> pa.Array:
    """Return lists of numbers, of which some may be missing, as lists of floats."""
    for line, value in values:
        if not isinstance(value, list) or any(isinstance(v, bool | str | list | dict) for v in value):
            raise UserError(f"{path}: {name}: must hold lists of numbers, got {json.dumps(value)[:40]} in line {line}")
    return pa.array([value for _, value in values], FLOATS)


def _joined(path: Path, name: str, parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Return the parts of a column as one array; integers mixed with floats become floats."""
    kinds = {part.type for part in parts if part.null_count < len(part)}
    if kinds == {pa.int64(), pa.float64()}:
        return pa.chunked_array([part.cast(pa.float64()) for part in parts])
    if len(kinds) > 1:
        raise UserError(f"{path}: {name}: must hold texts or numbers alone, got {' and '.join(sorted(map(str, kinds)))}")
    return pa.chunked_array([part.cast(next(iter(kinds))) for part in parts]) if kinds else pa.chunked_array(list(parts))
