"""Lock on a stage's work: one run does it, others wait for the results.

The lock is a variable of Prefect's server, which creates each name only once; its value is the id of the run that holds it.
When this run has ended, or its agent is lost, a waiting run takes the lock over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectAlreadyExists

from pipelines.agents import prefect_client, run_watcher
from pipelines.core.errors import StageFailedError, Stopped

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import Variable

    from pipelines.core.progress import Log

#: How long to retry deleting a lock: a busy server refuses now and then; an unreachable one is not waited for.
DROP_SECONDS = 30.0


@contextmanager
def claimed(work: str, run_id: UUID, log: Log) -> Iterator[bool]:
    """Hold the lock on ``work``, a digest, for the run ``run_id``; yield whether it had to wait for others.

    Raises:
        StageFailedError: if Prefect's server does not answer.
    """
    name, waited = f"winnow-{work}", False
    with prefect_client.client() as client:
        while (claim := _claim(client, name, run_id, log)).value != str(run_id):
            log.info("run %s is doing the same work; waiting for it", claim.value)
            # However it ends: results that it shared are restored, and missing ones are made here.
            with suppress(StageFailedError, Stopped):
                run_watcher.follow(client, UUID(str(claim.value)), log)
            _drop(client, claim, log)
            waited = True
    try:
        yield waited
    finally:
        with prefect_client.client() as client:
            _drop(client, claim, log)


def _claim(client: SyncPrefectClient, name: str, run_id: UUID, log: Log) -> Variable:
    """Return the lock of this name; create it for ``run_id`` if there is none."""
    wanted = VariableCreate(name=name, value=str(run_id), tags=["winnow"])

    def ask() -> Variable | None:
        try:
            return client.create_variable(wanted)
        except ObjectAlreadyExists:
            return client.read_variable_by_name(name)

    while (found := prefect_client.answer(ask, log)) is None:
        pass  # it was deleted between the two requests
    return found


def _drop(client: SyncPrefectClient, claim: Variable, log: Log) -> None:
    """Delete this lock by id, never a newer one of its name.

    If that fails, the next waiter sees that its run has ended.
    """

    def ask() -> object:
        return client.request("DELETE", "/variables/{id}", path_params={"id": str(claim.id)})

    with suppress(httpx.HTTPError, StageFailedError):
        prefect_client.answer(ask, log, DROP_SECONDS)
