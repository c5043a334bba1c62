"""Retry condition: failures that a retry may fix."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from pipelines.core.errors import Stopped, UserError


def worth_a_retry(task: object, run: object, state: State[object]) -> bool:
    """Return whether a retry may succeed: not after bad input or a stop by signal."""
    try:
        state.result()
    except (UserError, Stopped):
        return False
    except Exception:
        return True
    return False
