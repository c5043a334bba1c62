"""Documents: running text, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.config.schema.source import FromFolder, FromPackage
from pipelines.core.errors import UserError
from pipelines.sources import folders, package_index
from pipelines.sources.raw import TESTED, Raw, splits_of


def from_folder(source: FromFolder) -> Raw:
    """Return the files of a folder, or of its subfolders ``train``, ``test`` and that for validation, as raw data."""
    root = Path(source.folder)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    folders.check_validation(source)
    if not (root / "train").is_dir():
        return _documents([root], source)
    judging = [] if source.validation is None else [root / source.validation]
    return _documents([root / "train", root / "test", *judging], source)


def from_package(source: FromPackage) -> Raw:
    """Return files from a package, or from folders in it, as raw data."""
    return _documents(package_index.members(source), source)


def _documents(roots: Sequence[Path | None], source: FromFolder | FromPackage) -> Raw:
    """Return the files of ``roots``, of training and any test and validation split, as raw data."""
    found = [_under(root, source.files) for root in roots]
    paths = [path for part in found for path in part]
    for split, root in enumerate(roots):
        if root is not None and split != TESTED and not found[split]:
            raise UserError(f"{root}: has no file that matches source.files, {source.files!r}")
    texts = [_text(path, i, tagged=source.tagged) for i, path in enumerate(paths)]
    split_of = np.repeat(np.arange(len(roots)), [len(part) for part in found])
    tested, validates = splits_of(split_of, np.unique(split_of))
    return Raw({"text": texts}, np.zeros(len(paths), np.int64), tested, validates=validates)


def _under(root: Path | None, pattern: str) -> list[Path]:
    if root is None or root.is_file():
        return [] if root is None else [root]
    return _files(root, pattern)


def _files(root: Path, pattern: str) -> list[Path]:
    return sorted(path for path in root.glob(pattern) if path.is_file())


def _text(path: Path, number: int, *, tagged: bool) -> str:
    try:
        text = path.read_text(encoding="latin-1" if tagged else "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the text of id {number} is not UTF-8, from byte {error.start}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    text = untagged(text) if tagged else text
    if not text.strip():
        raise UserError(f"{path}: the text of id {number} is empty")
    return text


def untagged(text: str) -> str:
    """Return a text of ``word/tag`` tokens without the tags, from the last slash on, and empty lines."""
    lines = (" ".join(token.rsplit("/", 1)[0] for token in line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
