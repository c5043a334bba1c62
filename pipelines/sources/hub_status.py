"""Check whether the hub answers; otherwise its client reads its cache at once."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from functools import cache
from http.client import HTTPException

#: How long the hub may take to answer. Its own client tries again and again, and says so each time.
ANSWER_SECONDS = 5


@cache
def away() -> str | None:
    """Return why the hub does not answer, and from then on have its client use what is in the cache; None where it answers."""
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
    """Return what the hub's client says in an ``error``, and where the hub is away, why it was not asked."""
    if (reason := away()) is None:
        return str(error)
    return f"{str(error).splitlines()[0].rstrip('.')}; the hub cannot be asked: {reason}"


def _offline() -> None:
    """Tell the hub's client, the processes that are started from here, and the library of data sets if it is loaded."""
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True
    if (config := sys.modules.get("datasets.config")) is not None:
        config.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
