"""Sending one stage to the agents of a work pool, and what its end tells."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import task_run
from prefect.states import Cancelled, Crashed, Failed

from pipelines import agreement, following, patience
from pipelines.errors import UserError, without_passwords
from pipelines.flow import worth_a_retry
from pipelines.heartbeat import GivenUpError
from pipelines.stage import Stopped
from pipelines.workspace import StageFailedError

BAD_INPUT = "Bad input"
#: How often a stage that failed, or whose agent was lost, is sent again.
AGAIN = 2


@task(retries=AGAIN, retry_delay_seconds=1, retry_condition_fn=worth_a_retry, task_run_name="{stage}", cache_policy=NO_CACHE)
def send(stage: str, pool: str, revision: str, params: str) -> dict[str, Any]:
    """Have one stage run by an agent of ``pool``, wait for its end, and return the ``agent`` and the ``queued_seconds``.

    Raises:
        UserError: for a mistake in the input.
        Stopped: where the stage was cancelled.
        StageFailedError: where it failed, or its agent was lost.
    """
    log = get_run_logger()
    with patience.client() as client:
        sent = _begin(stage, pool, revision, params, log)
        try:
            run = following.follow(client, sent.id, log)
        except StageFailedError as error:
            again = "; the stage is sent again" if (task_run.run_count or 0) <= AGAIN else ""
            log.warning("%s: %s%s", stage, error, again)
            raise StageFailedError(f"{stage}: {error}") from None
    _check(stage, run)
    # Both by the server's clock.
    waited = (run.start_time - run.created).total_seconds() if run.start_time and run.created else 0.0
    return {"agent": following.agent_of(run), "queued_seconds": max(0.0, waited)}


def state_of(error: Exception) -> State[Any]:
    """Return the state of a run that ended with ``error``; its message is all that another agent learns of it."""
    if isinstance(error, Stopped):
        return Cancelled(message="stopped")
    if isinstance(error, GivenUpError):
        return Crashed(name=following.LOST, message=str(error))
    name = BAD_INPUT if isinstance(error, UserError) else "Failed"
    return Failed(name=name, message=without_passwords(str(error)))


def _begin(stage: str, pool: str, revision: str, params: str, log: patience.Log) -> FlowRun:
    """Create the run, once, also where the server takes the request and is away before it answers."""
    asked: dict[str, Any] = {"stage": stage, "revision": revision, "params": params}
    asked |= {"packages": agreement.packages(), "flows": agreement.flows()}
    once = str(uuid4())

    def create() -> Any:  # noqa: ANN401 - a FlowRun, or one to be awaited
        return run_deployment(
            f"winnow-stage/{pool}", parameters=asked, flow_run_name=stage, timeout=0, tags=["winnow"], idempotency_key=once
        )

    try:
        made: FlowRun = patience.answer(create, log)
    except ObjectNotFound:
        raise UserError(f"params.yaml: pools: there is no deployment 'winnow-stage/{pool}'; add it to prefect.yaml") from None
    return made


def _check(stage: str, run: FlowRun) -> None:
    """Raise what the end of a run means, unless it has ended well."""
    state: Any = run.state
    if state.is_completed():
        return
    message = str(state.message)
    if state.name == BAD_INPUT:
        raise UserError(message)
    if state.is_cancelled():
        raise Stopped
    raise StageFailedError(f"{stage}: {message.removeprefix(f'{stage}: ')}")
