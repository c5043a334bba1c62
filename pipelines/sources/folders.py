"""Folders of images or sounds, one for each class."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from components.arrays import Array
from pipelines.config.schema.source import FromFolder
from pipelines.core.errors import UserError
from pipelines.sources.parallel_decoding import Pictures
from pipelines.sources.picture_decoding import Item
from pipelines.sources.raw import Raw

#: File suffixes of images.
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LAYOUT = "[train|test/]<class>/<{}>"


@dataclass
class Listing:
    """Content of class folders.

    Attributes:
        suffixes: of the files to take.
        noun: what they are, in errors.
        taken: images or sounds, in the order of their names.
        left: other files, or those that are not in a class folder.
        empty: class folders without one.
    """

    suffixes: Set[str]
    noun: str
    taken: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)

    @property
    def a(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    def changes(self) -> dict[str, int]:
        """Return the numbers of skipped files and folders, by a text that names the first."""
        skipped = (("files not taken", self.left), (f"class folders without {self.a}", self.empty))
        return {f"{kind}, the first of them {paths[0]}": len(paths) for kind, paths in skipped if paths}


def from_folder(source: FromFolder, size: int | None) -> Raw:
    """Return the images of ``[train|test/]<class>/<image>`` as raw data, resized to ``size`` unless it is None.

    Raises:
        UserError: for a folder without images, or with an ambiguous layout.
    """
    paths, label, tested, changes = class_folders(source, SUFFIXES, "image")

    def item(i: int) -> Item:
        return Item(f"id {i} ({paths[i]})", path=str(paths[i]))

    return Raw({}, label, tested, changes=changes, pixels=Pictures(len(paths), item, size))


def class_folders(source: FromFolder, suffixes: Set[str], noun: str) -> tuple[list[Path], Array, Array | None, dict[str, int]]:
    """Return the files in ``[train|test/]<class>/``: paths, labels, rows of the test split, and counts of what was left.

    Args:
        source: the folder.
        suffixes: of the files to take.
        noun: what they are, in errors.

    Raises:
        UserError: for a folder without such files, or with an ambiguous layout.
    """
    root = Path(source.folder)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    found = Listing(suffixes, noun)
    for part in _parts(root):
        _list(part, found)
    if not (paths := found.taken):
        raise UserError(f"{root}: has no {noun}s of the layout {LAYOUT.format(noun)}")
    tested = np.array([p.is_relative_to(root / "test") for p in paths]) if _is_divided(root) else np.zeros(len(paths), bool)
    return paths, np.array([p.parent.name for p in paths]), tested if tested.any() else None, found.changes()


def _is_divided(root: Path) -> bool:
    return (root / "train").is_dir()


def _parts(root: Path) -> list[Path]:
    """Return the folders that contain the class folders: train and test, or the root."""
    names = [p.name for p in _entries(root) if p.is_dir()]
    if _is_divided(root):
        if others := [n for n in names if n not in ("train", "test")]:
            raise UserError(f"{root / others[0]}: beside train/ only test/ is allowed; move this folder or its files")
        return [root / name for name in ("train", "test") if name in names]
    if "test" in names and any(p.is_dir() for p in _entries(root / "test")):
        raise UserError(f"{root / 'test'}: has folders, and no train/ beside it; move the other classes to {root / 'train'}")
    return [root]


def _entries(folder: Path) -> Iterable[Path]:
    """Return the sorted entries of a folder, without hidden ones."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def _list(part: Path, found: Listing) -> None:
    for child in _entries(part):
        if not child.is_dir():
            found.left.append(child)
            continue
        before = len(found.taken)
        for path in _entries(child):
            if path.is_dir():
                _refuse_deeper(path, found)
            else:
                (found.taken if path.suffix.lower() in found.suffixes else found.left).append(path)
        if len(found.taken) == before:
            found.empty.append(child)


def _refuse_deeper(folder: Path, found: Listing) -> None:
    """Refuse files to take in a folder inside a class folder, which could be another class."""
    for path in _entries(folder):
        if path.is_dir():
            _refuse_deeper(path, found)
        elif path.suffix.lower() in found.suffixes:
            raise UserError(f"{path}: is deeper than {LAYOUT.format(found.noun)}; move it into its class's folder")
