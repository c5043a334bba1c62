"""The commit and the changed files that a result was made from."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from pipelines.core.artifacts import HERE
from pipelines.versioning.dvc_lock import md5_of

#: Code and settings on which results depend.
MADE_BY = ("components", "pipelines", "params.yaml", "dvc.yaml")


def versions(root: Path = HERE) -> dict[str, str]:
    """Return a run's tags: the commit, the uncommitted changes and the hash of dvc.lock in ``root``."""
    tags = {"dvc.lock": md5_of(root / "dvc.lock") or ""}
    if commit := _git(root, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["winnow.changes"] = ", ".join(changed(root)) or "none"
    return tags


def commit() -> str:
    """Return the commit and the names of files with uncommitted changes; "" without a commit."""
    tags = versions()
    changes = tags.get("winnow.changes", "none")
    return tags.get("mlflow.source.git.commit", "") + ("" if changes == "none" else f", with changes in {changes}")


def changed(root: Path = HERE) -> list[str]:
    """Return the names of code and settings files in ``root`` with uncommitted changes."""
    lines = _git(root, "status", "--porcelain", "--", *MADE_BY).splitlines()
    return sorted(line[3:].split(" -> ")[-1].strip('"') for line in lines)


def _git(root: Path, *arguments: str) -> str:
    """Return git's output; empty without git or a repository."""
    with suppress(OSError):
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.rstrip()
    return ""
