"""Tables from files or packages: texts, numbers and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.arrays import Array
from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import DataSource, FromFiles, FromPackage
from pipelines.core.artifacts import digest_of
from pipelines.core.errors import UserError, unknown
from pipelines.sources import package_index
from pipelines.sources.raw import Column, Raw, splits_of
from pipelines.sources.readers import rows
from pipelines.sources.readers.common import NUMBERS, SETS, Layout, check_flat

#: Key of the label in the raw data, beside the inputs' names.
LABEL = "the label"
#: Key of the rows' domains, neither input nor label.
DOMAIN = "domain"
#: Key of the rows' groups, likewise.
GROUP = "group"
#: Column with the name of each row's member of a package.
MEMBER = "member"
#: Kind of table of a target set's file, after those of a source's splits.
AIMED = 3
#: Values by key of the raw data.
Values = dict[str, list[object]]
#: Kind of value in the columns of each role.
ONE_OF = {"numbers": "number", "categories": "category", "dates": "date"}
#: What an example's label is, if it may be a list -> kind of value of its column.
LISTS = {"classes": SETS, "numbers": NUMBERS}


def from_files(source: FromFiles, task: TaskPlan) -> Raw:
    """Return the user's own files as raw data."""
    for name, expected in source.sha256.items():
        if (found := digest_of(Path(name)) if Path(name).exists() else "no file") != expected:
            raise UserError(f"{name}: sha256 must be {expected}, got {found}")
    paths = [None if name is None else Path(name) for name in (source.train, source.test, source.validation)]
    train, test, validation = paths
    _refuse_the_same(train, test)
    for other in (train, test):
        _refuse_the_same(other, validation, "validation")
    return of_paths(task, paths)


def of_paths(task: TaskPlan, paths: Sequence[Path | None]) -> Raw:
    """Return the files of training, and of test and validation or None, as raw data."""
    wanted, layout = _distinct_columns(task), _layout(task.source)
    return of_tables(task, [None if p is None else rows.read(p, layout, wanted) for p in paths], [str(p) for p in paths])


def _refuse_the_same(train: Path | None, test: Path | None, name: str = "test") -> None:
    """Refuse two splits of the same content: the test would reward memorizing the training rows."""
    if train is None or test is None or not (train.exists() and test.exists()):
        return
    if train.stat().st_size == test.stat().st_size and digest_of(train) == digest_of(test):
        what = "the training data" if name == "test" else "the same data"
        raise UserError(f"{test}: is the same as {train}, so the {name} split would be {what}; set '{name}' instead")


def from_package(source: FromPackage, task: TaskPlan) -> Raw:
    """Return a file from a package, and one for testing, as raw data."""
    if source.members:
        return of_tables(task, [_one(source, task)], [source.package])
    paths = package_index.members(source)
    layout, wanted = _layout(source), _distinct_columns(task)
    parts = [None if path is None else rows.read(path, layout, wanted, packed=True) for path in paths]
    return of_tables(task, parts, ["" if path is None else path.name for path in paths])


def _one(source: FromPackage, task: TaskPlan) -> pa.Table:
    """Return the task's columns of several files as one table, with the column ``MEMBER``."""
    paths = package_index.parts(source)
    wanted, tables = [(column, one) for column, one in _distinct_columns(task) if column != MEMBER], []
    for name, path in paths.items():
        table = rows.read(path, _layout(source), wanted, packed=True)
        tables.append(table.append_column(MEMBER, pa.array([name] * len(table))))
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise UserError(f"{source.package}: {', '.join(paths)}: cannot be read as one table: {error}") from None


def of_tables(task: TaskPlan, parts: Sequence[pa.Table | None], origins: Sequence[str], names: list[str] | None = None) -> Raw:
    """Return tables of the same columns, training first, as raw data.

    Args:
        task: planned.
        parts: training, and test and validation or None.
        origins: name of each part, for errors.
        names: of the classes, if the source has them.
    """
    tables, origins = (
        [part for part in parts if part is not None],
        [o for o, p in zip(origins, parts, strict=False) if p is not None],
    )
    kinds = [kind for kind, part in enumerate(parts) if part is not None]
    if (file := None if task.target is None else task.target.file) is not None:
        tables, origins = [*tables, rows.read(Path(file), _layout(task.source), _distinct_columns(task))], [*origins, file]
        kinds.append(AIMED)
    wanted = list(_column_roles(task))
    for table, origin in zip(tables, origins, strict=False):
        _check_table(table, wanted, origin)
    origin = ", ".join(origins)
    joined = {key: _column(tables, column, f"{origin}: {column}") for key, _, column in wanted}
    table = np.repeat(kinds, [len(t) for t in tables])
    before = len(table)
    if task.drop_empty:
        joined, table = _without_empty(joined, table, len(tables), origin)
    labels = _labels(joined, task) or [0] * len(table)
    several = task.predicts in LISTS
    if not several and (empty := next((i for i, v in enumerate(labels) if v is None or v == ""), None)) is not None:
        raise UserError(f"{origin}: {task.columns.label}: id {empty} has no label")
    tested, validates = splits_of(table, kinds)
    aimed = _domain_mask(joined.pop(DOMAIN, None), task, origin) if file is None else table == AIMED
    group = _groups(joined.pop(GROUP, None), task, origin)
    inputs: dict[str, Column] = {**joined}
    label = objects(labels) if several else np.array(labels)
    return Raw(inputs, label, tested, names, before - len(table), aimed, validates=validates, group=group)


def _labels(joined: Values, task: TaskPlan) -> list[object] | None:
    """Return the label of each row, which ``joined`` then lacks: of several columns a list; None without a column."""
    if not isinstance(task.columns.label, list):
        return joined.pop(LABEL, None)
    return [list(row) for row in zip(*(joined.pop(f"{LABEL} {name}") for name in task.columns.label), strict=True)]


def objects(values: Sequence[object]) -> Array:
    """Return ``values``, some of which may be lists, as an array ``(N,)`` of objects."""
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _groups(values: list[object] | None, task: TaskPlan, origin: str) -> Array | None:
    """Return the name of each row's group ``(N,)``; None without a column of groups."""
    if values is None:
        return None
    if (empty := next((i for i, v in enumerate(values) if v is None or v == ""), None)) is not None:
        raise UserError(f"{origin}: {task.columns.group}: id {empty} has no group; name one in each row")
    return np.array([str(v) for v in values])


def _layout(source: DataSource) -> Layout:
    """Return the layout of the source's csv and tsv files; the default for other sources."""
    return Layout(source.header, source.skip) if isinstance(source, FromFiles | FromPackage) else Layout()


def _domain_mask(domains: list[object] | None, task: TaskPlan, origin: str) -> Array | None:
    """Return a mask ``(N,)`` of the rows in the target's domain; None without a domain."""
    wanted = None if task.target is None else task.target.domain
    if domains is None or wanted is None:
        return None
    named = [str(d) for d in domains]
    if wanted not in named:
        raise UserError(unknown(f"{origin}: tasks.{task.name}.target.domain: {wanted!r}", "domain", wanted, sorted(set(named))))
    return np.asarray(np.array(named) == wanted)


def _without_empty(joined: Values, table: Array, splits: int, origin: str) -> tuple[Values, Array]:
    """Return the columns and ``table`` ``(N,)`` without the rows in which any column is missing or blank.

    Raises:
        UserError: if one of the ``splits`` has no row left.
    """
    kept = np.array([not any(map(_is_empty, row)) for row in zip(*joined.values(), strict=True)])
    if len(np.unique(table[kept])) < splits:
        raise UserError(f"{origin}: drop_empty leaves no row of a split, since each lacks one of {', '.join(joined)}")
    return {key: [v for v, k in zip(values, kept, strict=True) if k] for key, values in joined.items()}, table[kept]


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _column_roles(task: TaskPlan) -> Iterator[tuple[str, str, str]]:
    """Yield each column's key in the raw data, kind of value and name, ordered by role."""
    for role, named in sorted(vars(task.columns).items()):
        if role == "label" and isinstance(named, list):
            yield from ((f"{LABEL} {column}", "number", column) for column in named)
        elif isinstance(named, list):
            yield from ((column, ONE_OF[role], column) for column in named)
        elif named:
            one = LISTS.get(task.predicts, role) if role == "label" else role
            yield (LABEL if role == "label" else role), one, named


def _distinct_columns(task: TaskPlan) -> list[tuple[str, str]]:
    """Return the task's columns, each once and with its kind of value."""
    return list({column: one for _, one, column in _column_roles(task)}.items())


def _check_table(table: pa.Table, wanted: Sequence[tuple[str, str, str]], origin: str) -> None:
    if not len(table):
        raise UserError(f"{origin}: has no rows")
    for _, one, column in wanted:
        found = table.column_names.count(column)
        if not found:
            raise UserError(unknown(f"{origin}: columns: {column!r}", "column", column, table.column_names))
        if found > 1:
            raise UserError(f"{origin}: has {found} columns of the name {column!r}; the name must be there once")
        check_flat(origin, column, one, table.schema.field(column).type)


def _column(tables: Sequence[pa.Table], name: str, where: str) -> list[object]:
    """Return a column's values over all tables; bytes are decoded as UTF-8."""
    values = [value for table in tables for value in _bytes(table[name]).to_pylist()]
    try:
        return [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError:
        bad, found = next((i, v) for i, v in enumerate(values) if isinstance(v, bytes) and not _decodes(v))
        raise UserError(f"{where}: the text of id {bad} is not UTF-8: {found[:40]!r}") from None


def _bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as bytes, since the readers of jsonl and parquet do not check their UTF-8."""
    return (
        column.cast(pa.large_binary()) if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else column
    )


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
