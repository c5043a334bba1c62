"""Retry condition: failures that another try may mend."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from pipelines.core.errors import Stopped, UserError


def worth_a_retry(task: object, run: object, state: State[object]) -> bool:
    """Return whether another try may end better: not so for bad input, nor for a stage that was asked to end."""
    try:
        state.result()
    except (UserError, Stopped):
        return False
    except Exception:
        return True
    return False
