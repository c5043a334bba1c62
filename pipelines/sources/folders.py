"""Folders of images or sounds, one for each class."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipelines.config.schema.source import FromFolder
from pipelines.core.errors import UserError
from pipelines.sources.parallel_decoding import Pictures
from pipelines.sources.picture_decoding import Item
from pipelines.sources.raw import TESTED, VALIDATES, Raw, splits_of

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
    paths, raw = class_folders(source, SUFFIXES, "image")

    def item(i: int) -> Item:
        return Item(f"id {i} ({paths[i]})", path=str(paths[i]))

    return replace(raw, pixels=Pictures(len(paths), item, size))


def class_folders(source: FromFolder, suffixes: Set[str], noun: str) -> tuple[list[Path], Raw]:
    """Return the files in ``[train|test/]<class>/``, with labels, splits, and counts of what was left as raw data.

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
    check_validation(source)
    found, counts = Listing(suffixes, noun), []
    parts = _parts(root, source.validation)
    for part in parts.values():
        before = len(found.taken)
        _list(part, found)
        counts.append(len(found.taken) - before)
    if not (paths := found.taken):
        raise UserError(f"{root}: has no {noun}s of the layout {LAYOUT.format(noun)}")
    split = np.repeat(list(parts), counts)
    if VALIDATES in parts and VALIDATES not in split:
        raise UserError(f"{parts[VALIDATES]}: has no {noun}s of the layout <class>/<{noun}>, and source.validation names it")
    tested, validates = splits_of(split, np.unique(split))
    label = np.array([p.parent.name for p in paths])
    return paths, Raw({}, label, tested, changes=found.changes(), validates=validates)


def check_validation(source: FromFolder) -> None:
    """Refuse a validation folder that is not there, or stands beside no ``train``.

    Raises:
        UserError: naming it.
    """
    root, name = Path(source.folder), source.validation
    if name is None:
        return
    if not (root / name).is_dir():
        near = next((other for other in ("validation", "val", "valid", "dev") if (root / other).is_dir()), None)
        hint = f"set source.validation: {near}" if near else "name the folder that judges, or leave source.validation out"
        raise UserError(f"{root / name}: no such folder, and source.validation names it; {hint}")
    if not (root / "train").is_dir():
        raise UserError(
            f"{root / name}: judges beside train/, and {root} has no such folder; move the rest to {root / 'train'}"
        )


def _parts(root: Path, validation: str | None) -> dict[int, Path]:
    """Return the folder that contains the class folders of each split: train, test and validation, or the root."""
    names = [p.name for p in _entries(root) if p.is_dir()]
    if (root / "train").is_dir():
        known = {"train": 0, "test": TESTED} | ({} if validation is None else {validation: VALIDATES})
        if others := [n for n in names if n not in known]:
            allowed = "test/ is" if validation is None else f"test/ and {validation}/ are"
            judges = f"set source.validation: {others[0]} if it judges while training, else " if validation is None else ""
            raise UserError(f"{root / others[0]}: beside train/ only {allowed} allowed; {judges}move this folder or its files")
        return {split: root / name for name, split in known.items() if name in names}
    if "test" in names and any(p.is_dir() for p in _entries(root / "test")):
        raise UserError(f"{root / 'test'}: has folders, and no train/ beside it; move the other classes to {root / 'train'}")
    return {0: root}


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
