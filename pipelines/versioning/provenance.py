"""The commit and the changed files that a result was made from."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from pipelines.versioning.dvc_lock import md5_of

#: What a result is made by: code and settings.
MADE_BY = ("components", "pipelines", "params.yaml", "dvc.yaml")


def versions() -> dict[str, str]:
    """Return the tags that say which code and which dvc.lock a run is of, and what of the code is not as it was committed."""
    tags = {"dvc.lock": md5_of(Path("dvc.lock")) or ""}
    if commit := _git("rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
        tags["winnow.changes"] = ", ".join(changed()) or "none"
    return tags


def commit() -> str:
    """Return the commit that a result is made from, with the files that are not as they were committed; "" without one."""
    tags = versions()
    changes = tags.get("winnow.changes", "none")
    return tags.get("mlflow.source.git.commit", "") + ("" if changes == "none" else f", with changes in {changes}")


def changed() -> list[str]:
    """Return the files of code and settings that are not as they were committed, by name."""
    return sorted(line[3:].split(" -> ")[-1].strip('"') for line in _git("status", "--porcelain", "--", *MADE_BY).splitlines())


def _git(*arguments: str) -> str:
    """Return what git says; nothing where there is none, or no repository."""
    with suppress(OSError):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.rstrip()
    return ""
