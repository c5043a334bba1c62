"""Client of Prefect's server that retries while the server is unreachable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from pipelines.core.errors import StageFailedError, without_passwords
from pipelines.core.progress import Log

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

T = TypeVar("T")
#: How long to retry while the server is unreachable, the pause between two requests, and the timeout of one.
PATIENCE_SECONDS, PAUSE_SECONDS, ANSWER_SECONDS = 600.0, 2.0, 15.0
#: Seconds without an answer before a warning is logged: a busy server refuses a request now and then.
WARN_SECONDS = 10.0


@contextmanager
def client() -> Iterator[SyncPrefectClient]:
    """Yield a client without retries of its own, so that callers decide how long to retry."""
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: ANSWER_SECONDS}),
        get_client(sync_client=True) as made,
    ):
        yield made


def is_away(error: BaseException) -> bool:
    """Return whether ``error`` is temporary: no response, or status 408, 429 or 5xx."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)
    return isinstance(error, httpx.TransportError)


def answer(ask: Callable[[], T], log: Log, seconds: float | None = None) -> T:
    """Call ``ask`` until the server answers, and return its result.

    Raises:
        StageFailedError: if it does not answer for ``seconds``, by default ``PATIENCE_SECONDS``.
    """
    most = PATIENCE_SECONDS if seconds is None else seconds
    warned = False

    def warn(state: RetryCallState) -> None:
        nonlocal warned
        if not warned and (state.seconds_since_start or 0.0) >= WARN_SECONDS and state.outcome is not None:
            reason = _reason(state.outcome.exception())
            log.warning("Prefect's server does not answer (%s); waiting for it, %.0f s at most", reason, most)
            warned = True

    retrying = Retrying(
        retry=retry_if_exception(is_away),
        stop=stop_after_delay(most),
        wait=wait_fixed(PAUSE_SECONDS),
        before_sleep=warn,
        reraise=True,
    )
    try:
        return retrying(ask)
    except httpx.HTTPError as error:
        if not is_away(error):
            raise
        raise StageFailedError(f"Prefect's server has not answered for {most:.0f} s: {_reason(error)}") from None


def _reason(error: BaseException | None) -> str:
    """Return the first line of an error's text, without passwords, or its type if it is empty."""
    return without_passwords(str(error).partition("\n")[0]) or type(error).__name__
