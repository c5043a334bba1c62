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

#: Between two beats; and how many a busy server may miss before it is worth a line.
BEAT_SECONDS, MISSED = 3.0, 4
#: After so many, a stage that is to be cancelled ends itself: a worker whose server was away for long does not hear of it.
CANCELLING = 5


class Heart:
    """Beats in the run ``run_id`` of one stage; its progress artifact is where it is seen."""

    def __init__(self, stage: str, run_id: UUID, progress: Path, log: Log) -> None:
        """Let it say what the file ``progress`` says, which pipelines/core/progress.py writes."""
        self._run_id, self._progress, self._log = run_id, progress, log
        self._key = f"winnow-{''.join(c if c.isalnum() else '-' for c in stage)}"
        self._artifact: UUID | None = None
        self._missed = self._cancelling = 0
        self._end: Exception | None = None

    def beat_until(self, over: threading.Event) -> None:
        """Beat until ``over``, whether the server hears it or not; end this process's work where it is not wanted any more."""
        with prefect_client.client() as client:
            for number in count():
                if self._is_over(client, number):
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                    return
                if over.wait(BEAT_SECONDS):
                    return

    def check(self) -> None:
        """Raise GivenUpError or Stopped where it was this that ended the work."""
        if self._end is not None:
            raise self._end from None

    def finish(self) -> None:
        """Say that all is done, where the server hears it."""
        with suppress(httpx.HTTPError), prefect_client.client() as client:
            self._publish(client, 100.0, "done", "done")

    def confirm(self) -> None:
        """Check that the run still counts, before what it made is shared.

        Raises:
            GivenUpError: where it was given up meanwhile.
            Stopped: where it was cancelled.
        """
        with prefect_client.client() as client:
            state = state_of(prefect_client.answer(lambda: client.read_flow_run(self._run_id), self._log))
        if state.name == LOST:
            raise GivenUpError(state.message)
        if state.is_final() or state.is_cancelling():
            raise Stopped

    def _is_over(self, client: SyncPrefectClient, number: int) -> bool:
        """Beat; return whether this run was given up or deleted, or was to be cancelled and nobody has done it."""
        try:
            state = state_of(client.read_flow_run(self._run_id))
            self._cancelling = self._cancelling + 1 if state.is_cancelling() else 0
            if state.name == LOST:
                self._log.warning("this run was given up while its agent was not heard of; it ends here")
                self._end = GivenUpError(state.message)
            elif self._cancelling >= CANCELLING:
                self._end = Stopped()
            else:
                self._publish(client, *progress_of(self._progress), beat=str(number))
            self._missed = 0
        except ObjectNotFound:
            self._end = GivenUpError("was deleted")
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
    """Let the agent be heard while the block runs; give what confirms that the run still counts.

    Raises:
        GivenUpError: where the run was given up, and the block ended for that.
        Stopped: where it was to be cancelled.
    """
    heart, over = Heart(stage, run_id, progress, log), threading.Event()
    # Prefect's settings live in the context; a thread would have its own.
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
    """Return percent and words of where the stage is that writes to ``path``; a stage that does not train writes nothing."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0, "has begun"
    left = said["seconds_left"]
    words = f"{said['title']}: epoch {said['epoch'] + 1} of {said['epochs']:g}, {said['done']:,} of {said['total']:,} examples"
    return said["percent"], words if left is None else f"{words}, {left:,.0f} s left"
