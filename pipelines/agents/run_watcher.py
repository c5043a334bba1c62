"""Watches a flow run until it ends or its agent is lost.

An agent shows that it lives by a number that it counts up in its run (pipelines/agents/heartbeat.py). No two machines' clocks
are ever compared: an agent is lost when its number has stood still for so long by the clock of the one who watches.
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
#: The most that one look adds to a silence: time in which nobody could look, the server being away, is nobody's silence.
LONGEST_STEP = 5.0
#: How long a worker that lives may take to start a run: a busy machine takes long, and one that forgot about it never does.
START_SECONDS = 600.0
#: The name of the state of a run whose agent was lost; an agent that is back ends its work when it reads it.
LOST = "Lost"


@dataclass
class Silence:
    """For how many seconds a value has not changed, as far as somebody looked.

    Attributes:
        seconds: of silence.
    """

    seconds: float = 0.0
    _value: object = None
    _looked: float = math.inf

    def see(self, value: object, now: float) -> float:
        """Look at ``value`` at ``now``, of a clock that only goes forward, and return the silence."""
        step = min(max(0.0, now - self._looked), LONGEST_STEP)
        self.seconds = self.seconds + step if value == self._value else 0.0
        self._value, self._looked = value, now
        return self.seconds


def follow(client: SyncPrefectClient, run_id: UUID, log: Log) -> FlowRun:
    """Return a run when it has ended.

    Raises:
        StageFailedError: where its agent is lost, or the run was deleted; a lost one is marked as crashed.
        Stopped: where its agent is lost after it was asked to cancel the run.
    """
    limit, told = LOST_SECONDS.value(), False
    silence, standstill = Silence(), Silence()
    while True:
        run, beat = prefect_client.answer(lambda: _look(client, run_id), log)
        state = state_of(run)
        if state.is_final():
            return run
        quiet = silence.see((state.type, beat), time.monotonic())
        waited = standstill.see(state.type, time.monotonic())
        if quiet >= limit and not state.is_scheduled():
            _give_up(client, run, f"was not heard of for {limit:.0f} s", log)
        if state.is_pending() and waited >= max(limit, START_SECONDS):
            _give_up(client, run, f"has not begun it for {waited:.0f} s", log)
        if quiet >= limit and not told:
            log.warning("no agent of %s has taken %s for %.0f s; it waits for one", run.work_pool_name, run.name, limit)
            told = True
        time.sleep(POLL_SECONDS)


def state_of(run: FlowRun) -> State[object]:
    """Return the state of a run; the server gives each one a first."""
    assert run.state is not None, f"run {run.id} has no state"
    return run.state


def agent_of(run: FlowRun) -> str | None:
    """Return the name of the agent that took a run."""
    name = run.labels.get("prefect.worker.name")
    return None if name is None else str(name)


def _look(client: SyncPrefectClient, run_id: UUID) -> tuple[FlowRun, object]:
    """Return a run, and what changes while its agent lives: its count, or when the worker spoke that is starting the run."""
    try:
        run = client.read_flow_run(run_id)
    except ObjectNotFound:
        raise StageFailedError(f"run {run_id}: was deleted") from None
    state = state_of(run)
    if state.is_pending():
        workers = client.read_workers_for_work_pool(str(run.work_pool_name))
        return run, next((w.last_heartbeat_time for w in workers if w.name == agent_of(run)), None)
    asked = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run_id]}, "type": {"any_": ["progress"]}})
    # An answer that was lost on its way has made the agent begin a second one.
    found = client.read_artifacts(artifact_filter=asked)
    return run, sorted(str((artifact.metadata_ or {}).get("beat")) for artifact in found)


def _give_up(client: SyncPrefectClient, run: FlowRun, why: str, log: Log) -> NoReturn:
    agent = agent_of(run)
    named = f"agent {agent}" if agent else f"the agent of {run.work_pool_name}"
    message = f"{named} {why}"
    state = state_of(run)
    cancelled = state.is_cancelling()
    given: State[None] = (Cancelled if cancelled else Crashed)(name=LOST, message=message)
    prefect_client.answer(lambda: client.set_flow_run_state(run.id, given, force=True), log)
    if cancelled:
        raise Stopped
    raise StageFailedError(message)
