"""Packs a study's data, warm-ups and trials into tar files, with completion markers.

Nothing is unpickled. A file is unpacked completely or not at all, and only the expected files are taken from it.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import PREPARED, SCRATCH, cost_of, digest, plan_of, result
from pipelines.trials import study_folder as trials_folder
from pipelines.trials.study_folder import DATA, StudyFolder, is_marked, mark_of

#: Files that a trial keeps of each stage; the model is not among them.
KEPT = {
    "warm_up": ("scores.parquet", "state.safetensors", "history.json"),
    "subset": ("subset.parquet",),
    "train": ("ledger.parquet", "history.json"),
    "evaluate": ("metrics.json", "predictions.parquet"),
}


@dataclass(frozen=True)
class Part:
    """A part of a study that is packed into one tar file.

    Attributes:
        study: name of the study's folder, a digest of everything that all its parts depend on.
        folder: base folder of the part.
        paths: its files and folders, relative to ``folder``.
        marks: completion markers: by a step's address, the digest of its dependencies.
    """

    study: str
    folder: Path
    paths: tuple[Path, ...]
    marks: dict[str, str]

    @property
    def name(self) -> str:
        """The name of its tar file: a digest of everything that the content depends on."""
        return f"{digest([self.study, self.marks])}.tar"

    @property
    def is_restored(self) -> bool:
        """Whether all its steps are marked as completed in the folder."""
        return all(is_marked(self.folder, address, key) for address, key in self.marks.items())


def data_of(study: StudyFolder) -> Part:
    """Return the part with a study's prepared data."""
    root = study.path / DATA
    marks = {"prepare": trials_folder.data_key(root)}
    return Part(study.path.name, root, (PREPARED, cost_of("prepare")), marks)


def parts_of(study: StudyFolder, seed: int, name: str) -> tuple[Part, Part]:
    """Return the parts of a planned trial: its warm-up, which others may share, and the rest."""
    root = study.of(seed)
    marks = trials_folder.steps(root, name)
    start = MethodPlan.read(root / plan_of("methods", name)).warm_up
    own = [path for stage in ("subset", "train", "evaluate") for path in _paths(stage, name)]
    warm_up = Part(study.path.name, root, tuple(_paths("warm_up", start)), dict(marks[:1]))
    return warm_up, Part(study.path.name, root, tuple(own), dict(marks[1:]))


def _paths(stage: str, name: str) -> list[Path]:
    return [*(result(stage, name, file) for file in KEPT[stage]), cost_of(stage, name)]


def pack(part: Part, path: Path) -> None:
    """Write a part to the tar file ``path``, its markers last: a truncated file has none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for each in (*part.paths, *_marks(part)):
            tar.add(part.folder / each, str(each), filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack(part: Part, path: Path) -> bool:
    """Replace a part by the content of the tar file ``path``, the markers last.

    Returns:
        False, with nothing changed, if the file is incomplete or of another part.
    """
    aside = part.folder / SCRATCH / "arriving"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        if not _is_whole(part, path, aside):
            return False
        marks = _marks(part)
        for mark in marks:
            (part.folder / mark).unlink(missing_ok=True)
        for each in (*part.paths, *marks):
            _move(aside / each, part.folder / each)
        return True
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _is_whole(part: Part, path: Path, aside: Path) -> bool:
    """Unpack a tar file to ``aside``, and return whether it has the complete part."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                _take_out(tar, member, aside)
        marked = {address: json.loads((aside / mark_of(address)).read_text(encoding="utf-8")) for address in part.marks}
    except (tarfile.TarError, FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
        return False
    return marked == part.marks and all((aside / each).exists() for each in part.paths)


def _take_out(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extract a plain file or folder inside ``folder``, with its time but without owner and mode.

    Not every Python 3.11 has the extraction filters of ``extractall``.

    Raises:
        ReadError: for links, devices, and paths outside ``folder``.
    """
    name = Path(member.name)
    if not (member.isfile() or member.isdir()) or name.is_absolute() or ".." in name.parts:
        raise tarfile.ReadError(f"{member.name}: is not a plain file or folder inside the part")
    target, source = folder / name, tar.extractfile(member)
    if source is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    os.utime(target, (member.mtime, member.mtime))


def _marks(part: Part) -> list[Path]:
    return [mark_of(address) for address in part.marks]


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
