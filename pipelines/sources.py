"""Raw data as it lies about: opened, checked, and returned as plain columns with an id for life."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from components.arrays import Array
from pipelines import packages
from pipelines.artifacts import digest_of
from pipelines.errors import UserError, unknown

#: The order in which an image folder's ids are given, and what counts as an image there.
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Raw:
    """A data set as found.

    Attributes:
        inputs: name -> ``(N,)`` texts, or ``image`` -> ``(N, channels, height, width)`` uint8.
        label: ``(N,)`` as found: text, integer or float.
        tested: ``(N,)`` bool, which rows the source itself sets apart for testing; None where it has no test split.
        names: of the classes, where the source says them.
    """

    inputs: dict[str, Any]
    label: Array
    tested: Array | None
    names: list[str] | None = None


def read(task: dict[str, Any]) -> Raw:
    """Return the data that a planned task describes.

    Raises:
        UserError: naming the file, column or row that cannot be used.
    """
    return READERS[task["source"]["from"]](task)


def _splits(task: dict[str, Any], parts: Sequence[pa.Table | None], origins: Sequence[str]) -> Raw:
    """Return tables of the same columns, training first, as raw data; ``origins`` say where each is from."""
    tables = [part for part in parts if part is not None]
    wanted = task["columns"]
    for table, origin in zip(tables, origins, strict=False):
        _check_table(table, wanted, origin)
    origin = ", ".join(origins[: len(tables)])
    joined = {role: _column(tables, column, f"{origin}: {column}") for role, column in wanted.items()}
    labels = joined.pop("label")
    if (empty := next((i for i, v in enumerate(labels) if v is None or v == ""), None)) is not None:
        raise UserError(f"{origin}: {wanted['label']}: id {empty} has no label")
    label = np.array(labels)
    tested = None if len(tables) == 1 else np.arange(len(label)) >= len(tables[0])
    return Raw(joined, label, tested)


def _check_table(table: pa.Table, wanted: dict[str, str], origin: str) -> None:
    if not len(table):
        raise UserError(f"{origin}: has no rows")
    for role, column in wanted.items():
        found = table.column_names.count(column)
        if not found:
            raise UserError(unknown(f"{origin}: columns: {column!r}", "column", column, table.column_names))
        if found > 1:
            raise UserError(f"{origin}: has {found} columns of the name {column!r}; the name must be there once")
        if pa.types.is_nested(kind := table.schema.field(column).type):
            raise UserError(f"{origin}: {column}: must hold one {role} a row, got {kind}")


def _column(tables: Sequence[pa.Table], name: str, where: str) -> list[Any]:
    """Return a column's values over all tables; bytes are decoded as UTF-8."""
    values: list[Any] = [value for table in tables for value in _bytes(table[name]).to_pylist()]
    try:
        return [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError:
        bad = next(i for i, v in enumerate(values) if isinstance(v, bytes) and not _decodes(v))
        raise UserError(f"{where}: the text of id {bad} is not UTF-8: {values[bad][:40]!r}") from None


def _bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as bytes: a reader of jsonl or parquet does not check that they are UTF-8."""
    return (
        column.cast(pa.large_binary()) if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else column
    )


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _table(path: Path, header: list[str] | None, texts: Iterable[str]) -> pa.Table:
    """Return the table in ``path``, by its suffix; a tsv is taken as it is, without quotes."""
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: is empty")
        table = _parsed(path, suffix, header, texts)
        table.column_names  # noqa: B018 - decodes them
        return table
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: a column's name is not UTF-8") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _parsed(path: Path, suffix: str, header: list[str] | None, texts: Iterable[str]) -> pa.Table:
    if suffix == ".parquet":
        return pa.parquet.read_table(path)
    if suffix in (".json", ".jsonl"):
        return pa.json.read_json(path)
    tabs = suffix != ".csv"
    quote = False if tabs else '"'
    return pa.csv.read_csv(
        path,
        pa.csv.ReadOptions(column_names=header),
        pa.csv.ParseOptions(delimiter="\t" if tabs else ",", quote_char=quote, newlines_in_values=not tabs),
        pa.csv.ConvertOptions(column_types={t: pa.binary() for t in texts}, strings_can_be_null=False),
    )


def _from_files(task: dict[str, Any]) -> Raw:
    source = task["source"]
    for name, expected in source["sha256"].items():
        if (found := digest_of(Path(name)) if Path(name).exists() else "no file") != expected:
            raise UserError(f"{name}: sha256 must be {expected}, got {found}")
    texts = [c for role, c in task["columns"].items() if role.startswith("text")]
    paths = [None if source[split] is None else Path(source[split]) for split in ("train", "test")]
    return _splits(task, [p and _table(p, source["header"], texts) for p in paths], [str(p) for p in paths])


def _from_package(task: dict[str, Any]) -> Raw:
    source = task["source"]
    path = packages.member(source)
    texts = [c for role, c in task["columns"].items() if role.startswith("text")]
    return _splits(task, [_table(path, source["header"], texts)], [path.name])


def _from_hub(task: dict[str, Any]) -> Raw:
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
    if task["kind"] == "text":
        return _splits(task, [p.data.table for p in given], [f"{origin}: {s}" for s in ("training", "test")])
    columns = task["columns"]
    for part in given:
        for column in columns.values():
            if column not in part.column_names:
                raise UserError(unknown(f"{origin}: columns: {column!r}", "column", column, part.column_names))
    label = np.concatenate([np.asarray(p[columns["label"]]) for p in given])
    names = getattr(given[0].features[columns["label"]], "names", None)
    tested = None if len(given) == 1 else np.arange(len(label)) >= len(given[0])
    return Raw({"image": _stacked(_opened(given, columns["image"]), task["image_size"])}, label, tested, names)


def _opened(parts: Sequence[Any], column: str) -> Iterator[tuple[str, Any]]:
    """Yield the images of splits of the ``datasets`` library, which decodes them on the way."""
    rows = (row for part in parts for row in part)
    for i in range(sum(len(part) for part in parts)):
        with _decoding(f"id {i}"):
            image = next(rows)[column]
        if image is None:
            raise UserError(f"image id {i}: there is none")
        yield f"id {i}", image


@contextmanager
def _decoding(where: str) -> Iterator[None]:
    """Name the image that cannot be decoded."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except (OSError, SyntaxError, DecompressionBombError) as error:  # Pillow's own error is an OSError
        raise UserError(f"image {where}: cannot be decoded: {error}") from None


def _from_folder(task: dict[str, Any]) -> Raw:
    from PIL import Image

    root = Path(task["source"]["folder"])
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    split = [root / "train", root / "test"] if (root / "train").is_dir() else [root]
    paths = [p for part in split for p in sorted(part.glob("*/*")) if p.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise UserError(f"{root}: has no images; they are looked for in [train|test/]<class>/<image>")

    def opened() -> Iterable[tuple[str, Any]]:
        for i, path in enumerate(paths):
            with _decoding(f"id {i} ({path})"), Image.open(path) as image:
                image.load()
                yield f"id {i} ({path})", image

    tested = np.array([p.is_relative_to(root / "test") for p in paths])
    label = np.array([p.parent.name for p in paths])
    return Raw({"image": _stacked(opened(), task["image_size"])}, label, tested if tested.any() else None)


def _stacked(images: Iterable[tuple[str, Any]], size: int | None) -> Array:
    """Return PIL images as one array ``(N, channels, height, width)``; all of one size and mode, or resized to ``size``."""
    arrays: list[Array] = []
    for where, image in images:
        grey = image.mode in ("L", "1", "I", "I;16")
        fitted = image.convert("L" if grey else "RGB")
        pixels = np.asarray(fitted if size is None else fitted.resize((size, size)), np.uint8)
        pixels = pixels[None] if grey else pixels.transpose(2, 0, 1)
        if arrays and pixels.shape != arrays[0].shape:
            raise UserError(f"image {where}: must be {arrays[0].shape} like the first, got {pixels.shape}; set image_size")
        arrays.append(pixels)
    return np.stack(arrays)


def _from_idx(task: dict[str, Any]) -> Raw:
    folder = Path(task["source"]["folder"])
    arrays = [_idx(folder, f"{s}-{k}") for s in ("train", "t10k") for k in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    if (size := arrays[2].shape[1:]) != (wanted := arrays[0].shape[1:]):
        raise UserError(f"{folder}: t10k: images must be {wanted} as in train, got {size}")
    for part, images, labels in (("train", arrays[0], arrays[1]), ("t10k", arrays[2], arrays[3])):
        if len(images) != len(labels):
            raise UserError(f"{folder}: {part}: has {len(images)} images and {len(labels)} labels")
    pixels = np.concatenate([arrays[0], arrays[2]])[:, None]
    label = np.concatenate([arrays[1], arrays[3]]).astype(np.int64)
    return Raw({"image": pixels}, label, np.arange(len(label)) >= len(arrays[1]))


def _idx(folder: Path, name: str) -> Array:
    """Return an IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes (big-endian), the bytes."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.exists()), None)
    if path is None:
        raise UserError(f"{folder / name}[.gz]: no such file; Debian has it as the package dataset-fashion-mnist")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    dimensions = int(name.split("idx")[1][0])
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path}: is no IDX file of bytes in {dimensions} dimensions, or not all of one; fetch it again")
    sizes = np.frombuffer(content, ">i4", dimensions, 4)
    wanted = int(np.prod(sizes, dtype=np.int64))
    if len(content) - start != wanted:
        raise UserError(f"{path}: must hold {wanted} bytes of data, got {len(content) - start}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(tuple(sizes))


def _from_scikit_learn(task: dict[str, Any]) -> Raw:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.images * (255 / 16)).round().astype(np.uint8)[:, None]
    return Raw({"image": pixels}, data.target.astype(np.int64), None)


READERS = {
    "files": _from_files,
    "package": _from_package,
    "hub": _from_hub,
    "folder": _from_folder,
    "idx": _from_idx,
    "scikit-learn": _from_scikit_learn,
}
