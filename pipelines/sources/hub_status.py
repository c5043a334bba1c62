"""Check whether the hub answers; otherwise its client reads its cache at once."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from functools import cache
from http.client import HTTPException

#: Timeout of the hub's answer; its own client retries for long, and logs every attempt.
ANSWER_SECONDS = 5


@cache
def away() -> str | None:
    """Return why the hub is unreachable, and switch its client to offline; None if it answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=ANSWER_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError, HTTPException) as error:
        _offline()
        return f"it does not answer at {constants.ENDPOINT}: {getattr(error, 'reason', error)}"


def error_text(error: Exception) -> str:
    """Return the message of the hub client's ``error``, with the reason if the hub is unreachable."""
    if (reason := away()) is None:
        return str(error)
    return f"{str(error).splitlines()[0].rstrip('.')}; the hub cannot be asked: {reason}"


def _offline() -> None:
    """Set the hub's client, child processes, and ``datasets`` if it is imported, to offline."""
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True
    if (config := sys.modules.get("datasets.config")) is not None:
        config.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
