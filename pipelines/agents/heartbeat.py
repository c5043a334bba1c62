"""Sends heartbeats and progress of a running stage; stops it when cancelled or lost."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import ObjectNotFound, TerminationSignal

from pipelines.agents import prefect_client
from pipelines.agents.run_watcher import LOST, state_of
from pipelines.core.errors import GivenUpError, Stopped

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from pipelines.core.progress import Log

#: Seconds between two heartbeats, and failed ones in a row before a warning is logged.
BEAT_SECONDS, MISSED = 3.0, 4
#: Heartbeats after which a cancelling stage stops itself: a worker that lost its server for long misses the request.
CANCELLING = 5


class Heart:
    """Sends the heartbeats of one stage's flow run, in its progress artifact."""

    def __init__(self, stage: str, run_id: UUID, progress: Path, log: Log) -> None:
        """Publish the file ``progress``, which pipelines/core/progress.py writes, with each heartbeat."""
        self._run_id, self._progress, self._log = run_id, progress, log
        self._key = f"winnow-{''.join(c if c.isalnum() else '-' for c in stage)}"
        self._artifact: UUID | None = None
        self._missed = self._cancelling = 0
        self._end: Exception | None = None

    def beat_until(self, over: threading.Event) -> None:
        """Send heartbeats until ``over`` is set, also while the server is unreachable.

        A run that was cancelled, deleted or marked lost is ended by a SIGTERM to this process.
        """
        with prefect_client.client() as client:
            for number in count():
                if self._is_over(client, number):
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                    return
                if over.wait(BEAT_SECONDS):
                    return

    def check(self) -> None:
        """Raise the GivenUpError or Stopped for which the heartbeat ended the work, if any."""
        if self._end is not None:
            raise self._end from None

    def finish(self) -> None:
        """Publish that the stage is done, if the server answers."""
        with suppress(httpx.HTTPError), prefect_client.client() as client:
            self._publish(client, 100.0, "done", "done")

    def confirm(self) -> None:
        """Check that the run is still valid, before its outputs are pushed.

        Raises:
            GivenUpError: if the run was marked lost meanwhile.
            Stopped: if it was cancelled.
        """
        with prefect_client.client() as client:
            state = state_of(prefect_client.answer(lambda: client.read_flow_run(self._run_id), self._log))
        if state.name == LOST:
            raise GivenUpError(state.message)
        if state.is_final() or state.is_cancelling():
            raise Stopped

    def _is_over(self, client: SyncPrefectClient, number: int) -> bool:
        """Send one heartbeat; return whether this run was marked lost, deleted, or is overdue to be cancelled."""
        try:
            state = state_of(client.read_flow_run(self._run_id))
            self._cancelling = self._cancelling + 1 if state.is_cancelling() else 0
            if state.name == LOST:
                self._log.warning("this run was marked lost because its heartbeats did not arrive; it ends here")
                self._end = GivenUpError(state.message)
            elif self._cancelling >= CANCELLING:
                self._end = Stopped()
            else:
                self._publish(client, *progress_of(self._progress), beat=str(number))
            self._missed = 0
        except ObjectNotFound:
            self._end = GivenUpError("this run was deleted")
        except httpx.HTTPError as error:
            self._missed += 1
            if self._missed == MISSED:
                self._log.warning("Prefect's server does not answer (%s); the stage goes on", type(error).__name__)
        return self._end is not None

    def _publish(self, client: SyncPrefectClient, percent: float, text: str, beat: str) -> None:
        metadata = {"beat": beat}
        if self._artifact is None:
            made = ArtifactCreate(
                key=self._key, type="progress", flow_run_id=self._run_id, data=percent, description=text, metadata_=metadata
            )
            self._artifact = client.create_artifact(made).id
        else:
            client.update_artifact(self._artifact, ArtifactUpdate(data=percent, description=text, metadata_=metadata))


@contextmanager
def beating(stage: str, run_id: UUID, progress: Path, log: Log) -> Iterator[Callable[[], None]]:
    """Send heartbeats while the block runs; yield a function that checks that the run is still valid.

    Raises:
        GivenUpError: if the run was marked lost or deleted, which ended the block.
        Stopped: if the run was cancelled.
    """
    heart, over = Heart(stage, run_id, progress, log), threading.Event()
    # Prefect's settings are context variables, which a new thread does not inherit.
    thread = threading.Thread(target=copy_context().run, args=(heart.beat_until, over), daemon=True)
    thread.start()
    try:
        yield heart.confirm
        over.set()
        thread.join()
        heart.finish()
    except TerminationSignal:
        heart.check()
        raise
    finally:
        over.set()


def progress_of(path: Path) -> tuple[float, str]:
    """Return the percentage and a text of a stage's progress from the file ``path``.

    A stage that does not train writes no such file.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0, "started"
    left, epoch = written["seconds_left"], f"epoch {written['epoch'] + 1} of {written['epochs']:g}"
    text = f"{written['title']}: {epoch}, {written['done']:,} of {written['total']:,} examples"
    return written["percent"], text if left is None else f"{text}, {left:,.0f} s left"
