"""A working copy: which stages DVC has in it, which of them are stale, and running one without leaving an orphan."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines import artifacts
from pipelines.commands import call
from pipelines.errors import UserError
from pipelines.stage import BAD_INPUT, STOPPED, Stopped, failure_of


class StageFailedError(Exception):
    """A stage that ended with an error which another try might not meet."""


def _repo() -> Any:  # noqa: ANN401 - a dvc.repo.Repo
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return Repo()
    except DvcException as error:
        raise UserError(f"{Path.cwd()}: is no working copy: {error}") from None


def stages() -> list[str]:
    """Return DVC's stages, each after those it depends on.

    Raises:
        UserError: where dvc.yaml or what it takes from params.yaml cannot be read.
    """
    import networkx
    from dvc.exceptions import DvcException

    try:
        index = _repo().index
        graph = index.graph
    except DvcException as error:
        raise UserError(f"dvc.yaml: {error}") from None
    # Those that could run at once go in the order of dvc.yaml.
    written = {stage: place for place, stage in enumerate(index.stages)}
    order = networkx.lexicographical_topological_sort(graph.reverse(), key=written.__getitem__)
    return [stage.addressing for stage in order]


def depends_on() -> dict[str, set[str]]:
    """Return for each stage the stages that it depends on, directly."""
    graph = _repo().index.graph
    return {stage.addressing: {d.addressing for d in graph.successors(stage)} for stage in graph}


def before(stage: str) -> list[str]:
    """Return the stages that ``stage`` depends on, directly or not, each after those it depends on itself."""
    needs, found = depends_on(), {stage}
    order = stages()
    for other in reversed(order):
        if other in found:
            found |= needs[other]
    return [other for other in order if other in found and other != stage]


def stale() -> set[str]:
    """Return the stages whose code, input, parameters or outputs are not those of dvc.lock.

    Raises:
        UserError: where another DVC is at work here, or dvc.yaml cannot be read.
    """
    from dvc.exceptions import DvcException

    try:
        found: dict[str, Any] = _repo().status()
    except DvcException as error:
        raise UserError(f"{Path.cwd()}: {error}") from None
    return set(found)


def release_the_dead() -> None:
    """Take out of DVC's lock file what processes hold that were killed.

    DVC does so itself, but takes a process that nobody has buried yet, and another one of the same number, for the same.
    """
    path = Path(".dvc/tmp/rwlock")
    if not path.exists() or not path.read_text(encoding="utf-8"):
        return
    held = json.loads(path.read_text(encoding="utf-8"))
    read = {p: [h for h in holders if _lives(h)] for p, holders in held.get("read", {}).items()}
    write = {p: h for p, h in held.get("write", {}).items() if h and _lives(h)}
    artifacts.write_json(path, {"read": {p: h for p, h in read.items() if h}, "write": write})


def _lives(holder: dict[str, Any]) -> bool:
    import psutil

    try:
        process = psutil.Process(int(holder["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and "dvc" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def has_remote() -> bool:
    """Return whether results are shared through a DVC remote."""
    return bool(_repo().config["core"].get("remote"))


def learn_runs() -> None:
    """Learn from the remote, where there is one, which stages were run, in whatever clone."""
    if has_remote():
        _repo().stage_cache.pull(None)


def restore(stage: str) -> bool:
    """Restore one stage that is known to have been run, and return whether it could be; execute nothing.

    Those that it depends on must be here.
    """
    from dvc.repo import lock_repo
    from dvc.stage.cache import RunCacheNotFoundError

    repo, pull = _repo(), has_remote()
    # It says at length what it restores.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with lock_repo(repo):
            repo.stage_cache.restore(repo.stage.collect(stage)[0], pull=pull)
    except RunCacheNotFoundError:
        return False
    # Its results are here, and DVC writes dvc.lock.
    repo.reproduce(stage, single_item=True)
    return True


def reproduce(
    stage: str,
    *,
    remote: bool = False,
    before_push: Callable[[], None] | None = None,
    said: Callable[[str], None] | None = None,
) -> None:
    """Bring one stage up to date by ``dvc repro``, restored from the remote's run cache where it can be.

    Those before it are taken for fresh: the flow has seen to them, and DVC would look at all of them again.

    Args:
        stage: its address.
        remote: whether there is a DVC remote, to restore it from and to push it to.
        before_push: is called before what the stage made is shared, and may raise.
        said: is given each line that the stage writes, which otherwise go where this process writes.

    Raises:
        UserError: for a mistake in the input.
        Stopped: where the stage was asked to end, and saved itself.
        StageFailedError: for anything else.
    """
    pull = ["--pull"] if remote else []
    code = call("dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", *pull, stage, said=said)
    if code:
        raise _failed(stage, code)
    if before_push is not None:
        before_push()
    if remote and call("dvc", "push", "--quiet", "--run-cache", stage):
        raise StageFailedError(f"{stage}: is done, and 'dvc push --run-cache {stage}' failed; the next run pushes it")


def _failed(stage: str, code: int) -> Exception:
    failure = failure_of(stage)
    if failure is None:
        return StageFailedError(f"{stage}: 'dvc repro {stage}' exited with {code}; run it by hand to see why")
    if failure["code"] == BAD_INPUT:
        return UserError(failure["message"])
    return Stopped() if failure["code"] == STOPPED else StageFailedError(f"{stage}: {failure['message']}")
