"""Prefect flows of a comparison: one stage on an agent, and their coordinator.

No data travel through Prefect: stage outputs go through DVC's run cache, in the remote or in a cache that agents share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from pydantic import Field

from pipelines.agents import compatibility, heartbeat, prefect_client, work_lock
from pipelines.agents.scheduler import Future, walk
from pipelines.agents.submit import cancel_submitted, send, state_of
from pipelines.config import planning
from pipelines.config.overrides import Keys, Text, Word, Words, resolve
from pipelines.core import artifacts
from pipelines.core.environment import LOST_SECONDS
from pipelines.core.environment import PROGRESS as PROGRESS_FILE
from pipelines.core.errors import GivenUpError, StageFailedError, Stopped, UserError, unknown, without_passwords
from pipelines.report.rows import Comparison
from pipelines.tracking import agents
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project, dvc_remote, git_worktree

if TYPE_CHECKING:
    from pipelines.config.schema.sections import Pools
    from pipelines.core.progress import Log

#: Checked values from the API, passed to git and DVC as arguments and never through a shell.
Address = Annotated[str, Field(pattern=r"^[a-z_]{1,32}(@[a-z0-9][a-z0-9._-]{0,62})?$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Flows = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9.!_-]{1,64}$")]
Packages = Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], Version], Field(max_length=64)]
#: Folder of the progress files that stage processes write.
PROGRESS = artifacts.SCRATCH / "progress"
#: Columns of a comparison run's table, besides the method and the score.
SHOWN = ("examples_trained", "cpu_seconds", "time_counted", "time_measured", "agot")


@flow(name="winnow-stage", flow_run_name="{stage}")
def run_stage(
    stage: Address, revision: Revision, params: Text = "", packages: Packages | None = None, flows: Flows = ""
) -> State[None] | None:
    """Run one DVC stage on this agent: restore its dependencies, run it, and push its outputs.

    Args:
        stage: address of the stage in DVC's graph, for example train@full.
        revision: the commit to run, 40 hex digits, on a branch of the agent's git remote.
        params: the text of a params.yaml that replaces the revision's own.
        packages: the required package versions by name; an agent with other versions refuses the run.
        flows: the required SHA-256 of the flows' code (pipelines/agents/compatibility.py); an agent with another one refuses.
    """
    log = get_run_logger()
    try:
        with at_work(stage, packages or {}, flows, log) as confirm, git_worktree.worktree(revision, params) as there:
            _reproduce(stage, there.folder, UUID(flow_run.id), confirm, log)
    except (UserError, StageFailedError, Stopped, GivenUpError) as error:
        return state_of(error)
    return None


@contextmanager
def at_work(what: str, packages: Mapping[str, str], flows: str, log: Log) -> Iterator[Callable[[], None]]:
    """Send heartbeats for the work ``what`` while the block runs; yield a function that checks that the run is still valid.

    Raises:
        UserError: if this agent's packages or flows differ from the coordinator's.
        GivenUpError: if the run was marked lost or deleted, which ended the block.
        Stopped: if the run was cancelled.
    """
    file = (PROGRESS / f"{flow_run.id}.json").resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    PROGRESS_FILE.set(str(file))
    try:
        compatibility.check(os.environ.get("PREFECT__WORKER_NAME", "here"), packages, flows)
        with heartbeat.beating(what, UUID(flow_run.id), file, log) as confirm:
            yield confirm
    finally:
        file.unlink(missing_ok=True)


@flow(name="winnow", on_cancellation=[cancel_submitted])
def winnow(
    revision: Revision | None = None,
    params: Text = "",
    task: Word = "",
    methods: Words | None = None,
    overrides: Keys | None = None,
) -> State[None] | None:
    """Run a comparison on work pools: submit each stage without results to its pool.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; by default the remote's HEAD.
        params: the text of a params.yaml that replaces the revision's own.
        task: a task of params.yaml; replaces the selected one.
        methods: the methods to compare instead of those of params.yaml, each with its warm-up there or in its study, if any.
        overrides: at most 64 values by dotted key of params.yaml, for example {"methods.swiftlearn.fraction": 0.1}.
    """
    try:
        LOST_SECONDS.value()
        commit = revision or git_worktree.head()
        with git_worktree.worktree(commit, params) as there:
            resolved, params = resolve(there.params, params, task, methods or [], overrides or {}, there.folder)
            planning.plans_of(resolved)
            log = get_run_logger()
            walk(partial(_send, resolved.pools, commit, params), log, there.folder)
            _show(tracking.publish(log.warning, there.folder), there.folder)
    except (UserError, StageFailedError, Stopped) as error:
        return state_of(error)
    return None


def _send(pools: Pools, revision: str, params: str, stage: str) -> Future:
    return send.submit(stage, f"winnow-stage/{pools.of(stage)}", {"stage": stage, "revision": revision, "params": params})


def _reproduce(stage: str, root: Path, run_id: UUID, confirm: Callable[[], None], log: Log) -> None:
    learn_runs, address = partial(dvc_remote.learn_runs, root), dvc_remote.address(root)
    if stage not in (known := dvc_project.stages(root)):
        raise UserError(unknown(f"stage: {stage!r}", "stage of this revision and params.yaml", stage, known))
    dvc_remote.patiently(learn_runs, log)
    for needed in dvc_project.before(stage, root):
        if not dvc_remote.patiently(partial(dvc_remote.restore, needed, root), log):
            raise StageFailedError(f"{stage}: needs {needed}, whose results are not in the DVC remote {address}")
    with work_lock.claimed(dvc_project.identity(stage, root), run_id, log) as waited:
        if waited:
            dvc_remote.patiently(learn_runs, log)
        said = partial(_say, log)
        dvc_project.reproduce(stage, pull=bool(address), said=said, root=root)
        if address:
            dvc_remote.patiently(partial(_share, stage, root, confirm), log)
        else:
            confirm()


def _say(log: Log, line: str) -> None:
    log.info("%s", without_passwords(line))


def _share(stage: str, root: Path, confirm: Callable[[], None]) -> None:
    confirm()
    dvc_remote.push(stage, root)


def _show(comparison: str | None, root: Path) -> None:
    """Write the comparison as a table artifact of the flow run, with links to its runs in MLflow."""
    written = Comparison.written(root)
    pages = agents.links(comparison, root) if comparison else {}
    columns = ("method", written.metric, *SHOWN)
    table = [{column: shown[column] for column in columns} for shown in (row.columns() for row in written.rows)]
    links = ", ".join(f"[{name}]({page})" for name, page in pages.items())
    description = f"{written.task}: what selecting examples saved" + (f". In MLflow: {links}" if links else "")
    prefect_client.answer(
        lambda: create_table_artifact(table, key="winnow-comparison", description=description), get_run_logger()
    )
