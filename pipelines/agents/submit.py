"""Submits a stage, or trials of a study, to a work pool; returns its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ParamSpec, TypeVar, cast
from uuid import uuid4

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.runtime import task_run
from prefect.states import Cancelled, Cancelling, Crashed, Failed
from pydantic import JsonValue

from pipelines.agents import compatibility, prefect_client, run_watcher
from pipelines.core.errors import GivenUpError, StageFailedError, Stopped, UserError, without_passwords
from pipelines.core.progress import Log
from pipelines.flows.retry import worth_a_retry
from pipelines.tracking.agents import AgentResult

P = ParamSpec("P")
R = TypeVar("R")

BAD_INPUT = "Bad input"
#: State name of a run in which some trials failed: its message is JSON, the reasons by trial name.
IN_PART = "Failed in part"
#: How often work that failed, or whose agent was lost, is submitted again.
AGAIN = 2
#: The states of runs that have not ended.
OPEN = ["SCHEDULED", "PENDING", "RUNNING", "PAUSED"]


@task(retries=AGAIN, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{what}", cache_policy=NO_CACHE)
def send(what: str, deployment: str, asked: Mapping[str, JsonValue]) -> AgentResult:
    """Run ``what`` on an agent, wait for its end, and return its result.

    Args:
        what: name of the work in messages.
        deployment: the deployment to run.
        asked: its parameters, without the package versions and code hash, which are added here.

    Raises:
        UserError: for a mistake in the input.
        Stopped: if it was cancelled.
        StageFailedError: if it failed, or its agent was lost.
    """
    log = get_run_logger()
    with prefect_client.client() as client:
        sent = _begin(what, deployment, asked, log)
        try:
            run = run_watcher.follow(client, sent.id, log)
        except StageFailedError as error:
            again = "; submitting it again" if (task_run.run_count or 0) <= AGAIN else ""
            log.warning("%s: %s%s", what, error, again)
            raise StageFailedError(f"{what}: {error}") from None
    failed = _check(what, run)
    # Both times are of the server's clock.
    waited = (run.start_time - run.created).total_seconds() if run.start_time and run.created else 0.0
    ended = AgentResult(agent=run_watcher.agent_of(run), queued_seconds=max(0.0, waited))
    return ended.model_copy(update={"failed": failed}) if failed else ended


def cancel_submitted(flow: Flow[P, R], flow_run: FlowRun, state: State[R]) -> None:
    """Cancel the runs that a cancelled run has submitted, which would go on without it."""
    children = {"parent_flow_run_id": {"any_": [flow_run.id]}, "state": {"type": {"any_": OPEN}}}
    with get_client(sync_client=True) as client:
        for sent in client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(children)):
            client.set_flow_run_state(sent.id, Cancelling())


def state_of(error: Exception) -> State[None]:
    """Return the state of a run that ended with ``error``; other agents see only its message."""
    if isinstance(error, Stopped):
        return Cancelled(message="stopped")
    if isinstance(error, GivenUpError):
        return Crashed(name=run_watcher.LOST, message=str(error))
    name = BAD_INPUT if isinstance(error, UserError) else "Failed"
    return Failed(name=name, message=without_passwords(str(error)))


def _begin(what: str, deployment: str, asked: Mapping[str, JsonValue], log: Log) -> FlowRun:
    """Create the run exactly once, even if the server's response to the first request is lost."""
    parameters = {**asked, "packages": compatibility.packages(), "flows": compatibility.flows()}
    once = str(uuid4())

    def create() -> FlowRun:
        made = run_deployment(
            deployment, parameters=parameters, flow_run_name=what, timeout=0, tags=["winnow"], idempotency_key=once
        )
        return cast("FlowRun", made)  # a coroutine only inside an event loop, and this task has none

    try:
        return prefect_client.answer(create, log)
    except ObjectNotFound:
        raise UserError(f"params.yaml: pools: there is no deployment {deployment!r}; add it to prefect.yaml") from None


def _check(what: str, run: FlowRun) -> dict[str, str]:
    """Return the failure reasons by trial name, empty for a completed run; raise for any other end."""
    state = run_watcher.state_of(run)
    if state.is_completed():
        return {}
    message = str(state.message)
    if state.name == IN_PART:
        return dict(json.loads(message))
    if state.name == BAD_INPUT:
        raise UserError(message)
    if state.is_cancelled():
        raise Stopped
    raise StageFailedError(f"{what}: {message.removeprefix(f'{what}: ')}")
