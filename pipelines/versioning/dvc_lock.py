"""dvc.lock and dvc.yaml: the hashes that DVC recorded, compared with the files on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import yaml

from pipelines.core import artifacts
from pipelines.core.errors import UserError


class Hashed(TypedDict):
    """Path of a file or folder, and its MD5 as DVC recorded it."""

    path: str
    md5: str


class Recorded(TypedDict, total=False):
    """DVC's record of a stage: its dependencies and outputs."""

    deps: list[Hashed]
    outs: list[Hashed]


def code_of(stages: Iterable[str], path: Path = Path("dvc.yaml")) -> list[str]:
    """Return the sorted code paths that the ``stages`` of dvc.yaml depend on.

    Raises:
        UserError: if the file cannot be read, or lacks a stage.
    """
    try:
        known = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        deps = [d for s in stages for d in known[s].get("do", known[s])["deps"]]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return sorted({d for d in deps if d.startswith(("components", "pipelines"))})


def read_lock(path: Path = Path("dvc.lock")) -> dict[str, Recorded]:
    """Return DVC's records of the stages by name; empty if there is no file.

    Raises:
        UserError: if the file cannot be parsed.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        lock = yaml.load(path.read_text(encoding="utf-8"), loader) if path.exists() else None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return (lock or {}).get("stages") or {}


class Lock:
    """The stages in dvc.lock, compared with the files on disk."""

    def __init__(self, root: Path = artifacts.HERE) -> None:
        """Read the dvc.lock of the working copy ``root``."""
        self._root, self.stages = root, read_lock(root / "dvc.lock")
        self.outs: dict[str, str] = {o["path"]: o["md5"] for s in self.stages.values() for o in s.get("outs", [])}

    def key(self, *stages: str) -> str | None:
        """Return the digest of all outputs of ``stages``; None if one has not run."""
        if any(stage not in self.stages for stage in stages):
            return None
        return artifacts.digest([[o["path"], o["md5"]] for s in stages for o in self.stages[s]["outs"]])

    def holds(self, stage: str, *, bytes_too: bool = False) -> bool:
        """Return whether ``stage`` ran on the present inputs and its outputs exist.

        With ``bytes_too`` the outputs must also have their recorded hashes.
        """
        if stage not in self.stages:
            return False
        entry = self.stages[stage]
        deps = [d for d in entry["deps"] if d["path"].startswith(f"{artifacts.RESULTS}/")]
        if any((self.outs.get(d["path"]) or md5_of(self._root / d["path"])) != d["md5"] for d in deps):
            return False
        outs = [(self._root / o["path"], o["md5"]) for o in entry["outs"]]
        return all(path.exists() and (not bytes_too or md5_of(path) == md5) for path, md5 in outs)


def md5_of(path: Path) -> str | None:
    """Return DVC's hash of the file or folder ``path``; None if it does not exist."""
    if path.is_dir():
        files = sorted((f.relative_to(path).as_posix(), md5_of(f)) for f in path.rglob("*") if f.is_file())
        listing = json.dumps([{"md5": md5, "relpath": name} for name, md5 in files])
        return f"{hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()}.dir"
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
