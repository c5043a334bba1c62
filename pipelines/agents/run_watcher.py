"""Watches a flow run until it ends or its agent is lost.

An agent counts up a heartbeat number in its run (pipelines/agents/heartbeat.py). Clocks of two machines are never compared:
an agent is lost when the number has not changed for ``WINNOW_LOST_SECONDS`` by the watcher's clock.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from prefect.client.schemas.filters import ArtifactFilter
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from pipelines.agents import prefect_client
from pipelines.core.environment import LOST_SECONDS
from pipelines.core.errors import StageFailedError, Stopped

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State

    from pipelines.core.progress import Log

POLL_SECONDS = 1.0
#: The most seconds that one poll adds to a silence: time in which the server was unreachable does not count.
LONGEST_STEP = 5.0
#: How long a live worker may take to start a run: a busy machine is slow, and a run that was forgotten never starts.
START_SECONDS = 600.0
#: State name of a run whose agent was lost; an agent that is back reads it and ends its work.
LOST = "Lost"


@dataclass
class Silence:
    """Measures for how long a polled value has not changed.

    Attributes:
        seconds: since the last change; each poll adds ``LONGEST_STEP`` at most.
    """

    seconds: float = 0.0
    _value: object = None
    _looked: float = math.inf

    def see(self, value: object, now: float) -> float:
        """Record ``value`` at ``now``, of a monotonic clock, and return the seconds since it changed."""
        step = min(max(0.0, now - self._looked), LONGEST_STEP)
        self.seconds = self.seconds + step if value == self._value else 0.0
        self._value, self._looked = value, now
        return self.seconds


def follow(client: SyncPrefectClient, run_id: UUID, log: Log) -> FlowRun:
    """Wait for the end of a run, and return it.

    Raises:
        StageFailedError: if the agent is lost (the run is then marked as crashed), or the run was deleted.
        Stopped: if the agent is lost while the run is being cancelled.
    """
    limit, warned = LOST_SECONDS.value(), False
    silence, standstill = Silence(), Silence()
    while True:
        run, beat = prefect_client.answer(lambda: _look(client, run_id), log)
        state = state_of(run)
        if state.is_final():
            return run
        quiet = silence.see((state.type, beat), time.monotonic())
        waited = standstill.see(state.type, time.monotonic())
        if quiet >= limit and not state.is_scheduled():
            _give_up(client, run, f"sent no heartbeat for {limit:.0f} s", log)
        if state.is_pending() and waited >= max(limit, START_SECONDS):
            _give_up(client, run, f"did not start the run within {waited:.0f} s", log)
        if quiet >= limit and not warned:
            log.warning("no agent of %s has taken %s for %.0f s; still waiting for one", run.work_pool_name, run.name, limit)
            warned = True
        time.sleep(POLL_SECONDS)


def state_of(run: FlowRun) -> State[object]:
    """Return the state of a run, which the server always sets."""
    assert run.state is not None, f"run {run.id} has no state"
    return run.state


def agent_of(run: FlowRun) -> str | None:
    """Return the name of the agent that took a run."""
    name = run.labels.get("prefect.worker.name")
    return None if name is None else str(name)


def _look(client: SyncPrefectClient, run_id: UUID) -> tuple[FlowRun, object]:
    """Return a run and its sign of life: the heartbeat number, or the last heartbeat of the worker starting it."""
    try:
        run = client.read_flow_run(run_id)
    except ObjectNotFound:
        raise StageFailedError(f"run {run_id} was deleted") from None
    state = state_of(run)
    if state.is_pending():
        workers = client.read_workers_for_work_pool(str(run.work_pool_name))
        return run, next((w.last_heartbeat_time for w in workers if w.name == agent_of(run)), None)
    progress = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run_id]}, "type": {"any_": ["progress"]}})
    # There are two if the response to the agent's first creation was lost.
    found = client.read_artifacts(artifact_filter=progress)
    return run, sorted(str((artifact.metadata_ or {}).get("beat")) for artifact in found)


def _give_up(client: SyncPrefectClient, run: FlowRun, why: str, log: Log) -> NoReturn:
    agent = agent_of(run)
    subject = f"agent {agent}" if agent else f"the agent of {run.work_pool_name}"
    message = f"{subject} {why}"
    state = state_of(run)
    cancelled = state.is_cancelling()
    lost: State[None] = (Cancelled if cancelled else Crashed)(name=LOST, message=message)
    prefect_client.answer(lambda: client.set_flow_run_state(run.id, lost, force=True), log)
    if cancelled:
        raise Stopped
    raise StageFailedError(message)
