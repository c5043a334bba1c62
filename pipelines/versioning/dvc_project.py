"""DVC stages of a working copy: order, staleness, and running one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pipelines.core import artifacts
from pipelines.core.command import BAD_INPUT, STOPPED, failure_of
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.core.subprocesses import call

if TYPE_CHECKING:
    from dvc.repo import Repo


class Holder(TypedDict):
    """A process that DVC's lock file says holds a path."""

    pid: int
    cmd: str


def repo(root: Path = artifacts.HERE) -> Repo:
    """Return what DVC knows of the working copy ``root``.

    Raises:
        UserError: where it is none.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from pipelines.versioning.run_cache import RunCache

    try:
        found = Repo(root)
    except DvcException as error:
        raise UserError(f"{root.resolve()}: is no working copy: {error}") from None
    found.stage_cache = RunCache(found)
    return found


def _as_in(root: Path, said: str) -> str:
    """Return what DVC says as it says it in ``root``: seen from elsewhere, its paths and stages begin with the way there."""
    way = os.path.relpath(root)
    return said if way == os.curdir else re.sub(rf"(?<![\w-])(?<![\w-]/){re.escape(way)}/(dvc\.yaml:)?", "", said)


def target(stage: str, root: Path) -> str:
    """Return what DVC, asked from anywhere, takes for the ``stage`` of the working copy ``root``."""
    return str(root / stage) if stage.endswith(".dvc") else f"{root / 'dvc.yaml'}:{stage}"


def stages(root: Path = artifacts.HERE) -> list[str]:
    """Return DVC's stages, each after those it depends on.

    Raises:
        UserError: where dvc.yaml or what it takes from params.yaml cannot be read.
    """
    import networkx
    from dvc.exceptions import DvcException

    try:
        index = repo(root).index
        graph = index.graph
    except DvcException as error:
        raise UserError(f"dvc.yaml: {_as_in(root, str(error))}") from None
    # Those that could run at once go in the order of dvc.yaml.
    written = {stage: place for place, stage in enumerate(index.stages)}
    order = networkx.lexicographical_topological_sort(graph.reverse(), key=written.__getitem__)
    return [_as_in(root, stage.addressing) for stage in order]


def depends_on(root: Path = artifacts.HERE) -> dict[str, set[str]]:
    """Return for each stage the stages that it depends on, directly."""
    graph = repo(root).index.graph
    named = {stage: _as_in(root, stage.addressing) for stage in graph}
    return {name: {named[d] for d in graph.successors(stage)} for stage, name in named.items()}


def before(stage: str, root: Path = artifacts.HERE) -> list[str]:
    """Return the stages that ``stage`` depends on, directly or not, each after those it depends on itself."""
    needs, found = depends_on(root), {stage}
    order = stages(root)
    for other in reversed(order):
        if other in found:
            found |= needs[other]
    return [other for other in order if other in found and other != stage]


def stale(root: Path = artifacts.HERE) -> set[str]:
    """Return the stages whose code, input, parameters or outputs are not those of dvc.lock.

    Raises:
        UserError: where another DVC is at work there, or dvc.yaml cannot be read.
    """
    from dvc.exceptions import DvcException

    try:
        found = repo(root).status()
    except DvcException as error:
        raise UserError(f"{root.resolve()}: {_as_in(root, str(error))}") from None
    return {_as_in(root, address) for address in found}


def release_the_dead(root: Path = artifacts.HERE) -> None:
    """Take out of DVC's lock file what processes hold that were killed.

    DVC does so itself, but takes a process that nobody has buried yet, and another one of the same number, for the same.
    """
    path = root / ".dvc/tmp/rwlock"
    if not path.exists() or not path.read_text(encoding="utf-8"):
        return
    held = json.loads(path.read_text(encoding="utf-8"))
    read = {p: [h for h in holders if _lives(h)] for p, holders in held.get("read", {}).items()}
    write = {p: h for p, h in held.get("write", {}).items() if h and _lives(h)}
    artifacts.write_json(path, {"read": {p: h for p, h in read.items() if h}, "write": write})


def _lives(holder: Holder) -> bool:
    import psutil

    try:
        process = psutil.Process(int(holder["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and "dvc" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def identity(stage: str, root: Path = artifacts.HERE) -> str:
    """Return a digest of all that decides what a stage makes, as DVC's run cache has it; what the stage needs must be there."""
    from dvc.repo import lock_repo
    from dvc.stage.serialize import to_single_stage_lockfile

    here = repo(root)
    with lock_repo(here):
        found = here.stage.collect(target(stage, root))[0]
        found.save_deps()
        held = to_single_stage_lockfile(found)
    return artifacts.digest({k: v for k, v in held.items() if k != "outs"})


def reproduce(
    stage: str, *, pull: bool = False, said: Callable[[str], None] | None = None, root: Path = artifacts.HERE
) -> None:
    """Bring one stage up to date by ``dvc repro``.

    Those before it are taken for fresh: the flow has seen to them, and DVC would look at all of them again.

    Args:
        stage: its address.
        pull: whether to restore it from the DVC remote where that has it.
        said: is given each line that the stage writes, which otherwise go where this process writes.
        root: the folder of the working copy.

    Raises:
        UserError: for a mistake in the input.
        Stopped: where the stage was asked to end, and saved itself.
        StageFailedError: for anything else.
    """
    asked = ["--pull"] if pull else []
    code = call("dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", *asked, stage, said=said, root=root)
    if code:
        raise _failed(stage, code, root)


def _failed(stage: str, code: int, root: Path) -> Exception:
    failure = failure_of(stage, root)
    if failure is None:
        return StageFailedError(f"{stage}: 'dvc repro {stage}' exited with {code}; run it by hand to see why")
    if failure.code == BAD_INPUT:
        return UserError(failure.message)
    return Stopped() if failure.code == STOPPED else StageFailedError(f"{stage}: {failure.message}")
