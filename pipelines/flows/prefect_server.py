"""Prefect server of a flow that has none, on a free loopback port.

Prefect can start one by itself, but leaves it running if the flow is killed.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from pipelines.core.artifacts import SCRATCH
from pipelines.core.errors import StageFailedError, UserError, without_passwords
from pipelines.core.subprocesses import end, start

#: Seconds that a new server may take to start: creating the tables of a new database is slow on a busy machine.
START_SECONDS = 180
#: Seconds that a server named by the settings may take to answer.
ANSWER_SECONDS = 10
#: What the temporary server writes.
LOG = SCRATCH / "prefect-server.log"
APPLICATION = ("-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--lifespan", "on")


@contextmanager
def server(meanwhile: Callable[[], object] | None = None) -> Iterator[None]:
    """Run the block with a Prefect server: the configured one, or a temporary one.

    Args:
        meanwhile: called while a temporary server starts, which takes seconds.

    Raises:
        UserError: if the server that the settings name does not answer.
        StageFailedError: if the temporary server does not answer in time.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if named := PREFECT_API_URL.value():
        _check_reachable(named)
        yield
        return
    port = free_port()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    # Without these settings the server would try to start another server. What it logs while it ends concerns nobody.
    process = start(
        sys.executable, *APPLICATION, "--host", "127.0.0.1", "--port", str(port), "--log-level", "critical", log=LOG,
        PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1", PREFECT_UI_ENABLED="0",
    )  # fmt: skip
    try:
        if meanwhile is not None:
            meanwhile()
        wait_for(f"http://127.0.0.1:{port}/api/health", process.poll, LOG)
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            yield
    finally:
        end(process, seconds=5)


def _check_reachable(address: str) -> None:
    """Raise a one-line UserError if the server is unreachable; Prefect's own error has forty lines."""
    silent = (OSError, ValueError, HTTPException)
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(silent), stop=stop_after_delay(ANSWER_SECONDS), wait=wait_fixed(0.5), reraise=True
        ):
            # An HTTP error is an answer too: the server may require authentication.
            with attempt, suppress(urllib.error.HTTPError), urllib.request.urlopen(_health(address), timeout=ANSWER_SECONDS):
                pass
    except silent as error:
        shown, reason = without_passwords(address), getattr(error, "reason", error)
        raise UserError(
            f"PREFECT_API_URL: no Prefect server answers at {shown}: {reason}; start it, or unset the variable "
            "(`prefect config unset PREFECT_API_URL` if a profile sets it), and the run starts its own"
        ) from None


def _health(address: str) -> str:
    """Return the address of a server's health check."""
    return f"{address.rstrip('/')}/health"


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, ended: Callable[[], int | None], log: Path, of: str = "Prefect's server") -> None:
    """Wait until ``address`` answers.

    Args:
        address: to request.
        ended: returns the exit status of the server's process, None while it runs.
        log: the file or folder that the server writes to, named in the error.
        of: name of the server in the error.

    Raises:
        StageFailedError: if it does not answer in time, or the process has ended.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=5):
            return
        if ended() is not None:
            break
        time.sleep(0.05)
    home = os.environ.get("PREFECT_HOME", "~/.prefect")
    raise StageFailedError(f"{of} did not answer at {address}; its log is in {log}, Prefect's database in {home}")
