"""The commit and the changed files that a result was made from."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from pipelines.core.artifacts import HERE
from pipelines.versioning.dvc_lock import md5_of

#: What a result is made by: code and settings.
MADE_BY = ("components", "pipelines", "params.yaml", "dvc.yaml")


def versions(root: Path = HERE) -> dict[str, str]:
    """Return the tags that say which code and dvc.lock of ``root`` a run is of, and what is not as it was committed."""
    tags = {"dvc.lock": md5_of(root / "dvc.lock") or ""}
    if commit := _git(root, "rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["winnow.changes"] = ", ".join(changed(root)) or "none"
    return tags


def commit() -> str:
    """Return the commit that a result is made from, with the files that are not as they were committed; "" without one."""
    tags = versions()
    changes = tags.get("winnow.changes", "none")
    return tags.get("mlflow.source.git.commit", "") + ("" if changes == "none" else f", with changes in {changes}")


def changed(root: Path = HERE) -> list[str]:
    """Return the files of code and settings in ``root`` that are not as they were committed, by name."""
    lines = _git(root, "status", "--porcelain", "--", *MADE_BY).splitlines()
    return sorted(line[3:].split(" -> ")[-1].strip('"') for line in lines)


def _git(root: Path, *arguments: str) -> str:
    """Return what git says; nothing where there is none, or no repository."""
    with suppress(OSError):
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.rstrip()
    return ""
