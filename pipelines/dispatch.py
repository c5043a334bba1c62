"""The flows that agents run: one stage in a worktree of the agent's clone, and the walk that sends each stage to its pool.

No data travel through Prefect: what a stage made goes through DVC's run cache, in the remote or in a cache that agents share.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Failed
from pydantic import Field

from pipelines import plan, tracking, workspace, worktree
from pipelines.asked import Keys, Text, Word, Words, resolve
from pipelines.errors import UserError, unknown, without_passwords
from pipelines.flow import worth_a_retry
from pipelines.sections import Pools
from pipelines.stage import Stopped
from pipelines.workspace import StageFailedError

#: What arrives over the API becomes an argument of git and DVC, never a part of a shell's line.
Address = Annotated[str, Field(pattern=r"^[a-z_]{1,32}(@[a-z0-9][a-z0-9._-]{0,62})?$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
BAD_INPUT = "Bad input"
POLL_SECONDS = 1.0
#: The states of runs that have not ended.
OPEN = ["SCHEDULED", "PENDING", "RUNNING", "PAUSED"]


@flow(name="winnow-stage", flow_run_name="{stage}")
def run_stage(stage: Address, revision: Revision, params: Text = "") -> State[Any] | None:
    """Run one stage of DVC's graph on this agent, what it depends on being restored, and share what it made.

    Args:
        stage: its address in DVC's graph, for example train@full.
        revision: the commit to run, 40 hex digits, on a branch of the agent's git remote.
        params: the text of a params.yaml to run in the place of the revision's own.
    """
    try:
        with worktree.worktree(revision, params):
            _reproduce(stage)
    except (UserError, StageFailedError, Stopped) as error:
        return _state(error)
    return None


def _cancel_stages(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ANN401 - Prefect's
    """Cancel the stages that a cancelled comparison has sent, which would go on without it."""
    asked = {"parent_flow_run_id": {"any_": [flow_run.id]}, "state": {"type": {"any_": OPEN}}}
    with get_client(sync_client=True) as client:
        for stage in client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(asked)):
            client.set_flow_run_state(stage.id, Cancelling())


@flow(name="winnow", on_cancellation=[_cancel_stages])
def winnow(
    revision: Revision | None = None,
    params: Text = "",
    task: Word = "",
    methods: Words | None = None,
    overrides: Keys | None = None,
) -> State[Any] | None:
    """Run a comparison over work pools: every stage of DVC's graph that no agent has run before, on the pool it belongs to.

    Args:
        revision: the commit to run, 40 hex digits, on a branch of the agents' git remote; that of its HEAD where none is given.
        params: the text of a params.yaml to run in the place of the revision's own.
        task: of params.yaml, in the place of the one that it names.
        methods: to compare, in the place of those of params.yaml, each with its warm-up there or in its study, or with none.
        overrides: values by dotted key of params.yaml, {"methods.swiftlearn.fraction": 0.1} for example, at most 64.
    """
    try:
        asked = revision or worktree.head()
        with worktree.worktree(asked, params) as held:
            held, params = resolve(held, params, task, methods or [], overrides or {})
            plan.files_of(held)
            _walk(held.pools, asked, params)
    except (UserError, StageFailedError, Stopped) as error:
        return _state(error)
    return None


def _state(error: Exception) -> State[Any]:
    """Return the state of a run that ended with ``error``; its message is all that another agent learns of it."""
    if isinstance(error, Stopped):
        return Cancelled(message="stopped")
    name = BAD_INPUT if isinstance(error, UserError) else "Failed"
    return Failed(name=name, message=without_passwords(str(error)))


def _reproduce(stage: str) -> None:
    if stage not in (known := workspace.stages()):
        raise UserError(unknown(f"stage: {stage!r}", "stage of this revision and params.yaml", stage, known))
    workspace.learn_runs()
    for needed in workspace.before(stage):
        if not workspace.restore(needed):
            raise StageFailedError(f"{stage}: needs {needed}, whose results are not in the DVC remote")
    workspace.reproduce(stage, remote=workspace.has_remote())


def _walk(pools: Pools, revision: str, params: str) -> None:
    """Restore in this worktree what was run before, and have the rest run, together what does not depend on each other."""
    needs, left = workspace.depends_on(), workspace.stages()
    done: set[str] = set()
    workspace.learn_runs()
    while left:
        ready = [stage for stage in left if needs[stage] <= done]
        missing = [stage for stage in ready if not workspace.restore(stage)]
        _run_elsewhere({stage: pools.of(stage) for stage in missing}, revision, params)
        if missing:
            workspace.learn_runs()
        for stage in missing:
            if not workspace.restore(stage):
                raise StageFailedError(f"{stage}: its results are not in the DVC remote; all agents must share one")
        done.update(ready)
        left = [stage for stage in left if stage not in done]
        if missing and any(stage.startswith("evaluate@") for stage in ready):
            tracking.publish()
    tracking.publish()


def _run_elsewhere(pool_of: dict[str, str], revision: str, params: str) -> None:
    """Run stages on their pools and wait for all; where some fail, for good, MLflow shall know them as failed too."""
    sent = {stage: send.submit(stage, pool, revision, params) for stage, pool in pool_of.items()}
    failed: list[Exception] = []
    for stage, future in sent.items():
        try:
            future.result()
        except (UserError, StageFailedError, Stopped) as error:
            if not isinstance(error, Stopped):
                tracking.fail(stage, str(error))
            failed.append(error)
    if failed:
        raise failed[0]


@task(retries=2, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{stage}", cache_policy=NO_CACHE)
def send(stage: str, pool: str, revision: str, params: str) -> None:
    """Have one stage run by an agent of ``pool``, and wait for its end."""
    arguments = {"stage": stage, "revision": revision, "params": params}
    try:
        run: Any = run_deployment(
            f"winnow-stage/{pool}", parameters=arguments, flow_run_name=stage, poll_interval=POLL_SECONDS, tags=["winnow"]
        )
    except ObjectNotFound:
        raise UserError(f"params.yaml: pools: there is no deployment 'winnow-stage/{pool}'; add it to prefect.yaml") from None
    if run.state.is_completed():
        return
    message = str(run.state.message)
    if run.state.name == BAD_INPUT:
        raise UserError(message)
    if run.state.is_cancelled():
        raise Stopped
    raise StageFailedError(f"{stage}: {message.removeprefix(f'{stage}: ')}")
