"""Prefect flows of a comparison: one stage on an agent, and their coordinator.

No data travel through Prefect: what a stage made goes through DVC's run cache, in the remote or in a cache that agents share.
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

#: What arrives over the API becomes an argument of git and DVC, never a part of a shell's line.
Address = Annotated[str, Field(pattern=r"^[a-z_]{1,32}(@[a-z0-9][a-z0-9._-]{0,62})?$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Flows = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9.!_-]{1,64}$")]
Packages = Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], Version], Field(max_length=64)]
#: Where the processes of stages say how far they are.
PROGRESS = artifacts.SCRATCH / "progress"
#: What the table of a comparison's run shows beside the score.
SHOWN = ("examples_trained", "cpu_seconds", "time_counted", "time_measured", "agot")


@flow(name="winnow-stage", flow_run_name="{stage}")
def run_stage(
    stage: Address, revision: Revision, params: Text = "", packages: Packages | None = None, flows: Flows = ""
) -> State[None] | None:
    """Run one stage of DVC's graph on this agent, what it depends on being restored, and share what it made.

    Args:
        stage: its address in DVC's graph, for example train@full.
        revision: the commit to run, 40 hex digits, on a branch of the agent's git remote.
        params: the text of a params.yaml to run in the place of the revision's own.
        packages: the versions of the packages that results depend on, by name; an agent that has others refuses.
        flows: the SHA-256 of the flows' code (pipelines/agents/compatibility.py); an agent whose clone has another refuses.
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
    """Let it be heard that this agent is at ``what`` while the block runs; give what confirms that this run still counts.

    Raises:
        UserError: where this agent has not the ``packages`` and ``flows`` of who sent it the work.
        GivenUpError: where the run was given up, and the block ended for that.
        Stopped: where it was to be cancelled.
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
    """Run a comparison over work pools: every stage of DVC's graph that no agent has run before, on the pool it belongs to.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; that of its HEAD where none is given.
        params: the text of a params.yaml to run in the place of the revision's own.
        task: of params.yaml, in the place of the one that it names.
        methods: to compare, in the place of those of params.yaml, each with its warm-up there or in its study, or with none.
        overrides: values by dotted key of params.yaml, {"methods.swiftlearn.fraction": 0.1} for example, at most 64.
    """
    try:
        LOST_SECONDS.value()
        asked = revision or git_worktree.head()
        with git_worktree.worktree(asked, params) as there:
            held, params = resolve(there.params, params, task, methods or [], overrides or {}, there.folder)
            planning.plans_of(held)
            log = get_run_logger()
            walk(partial(_send, held.pools, asked, params), log, there.folder)
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
    """Leave the comparison as a table in the flow's run, with the pages of its runs in MLflow, ``comparison`` among them."""
    written = Comparison.written(root)
    pages = agents.links(comparison, root) if comparison else {}
    columns = ("method", written.metric, *SHOWN)
    table = [{column: shown[column] for column in columns} for shown in (row.columns() for row in written.rows)]
    told = ", ".join(f"[{name}]({page})" for name, page in pages.items())
    description = f"{written.task}: what selecting examples saved" + (f". In MLflow: {told}" if told else "")
    prefect_client.answer(
        lambda: create_table_artifact(table, key="winnow-comparison", description=description), get_run_logger()
    )
