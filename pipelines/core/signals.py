"""Signals: SIGINT and SIGTERM set a stop flag; children die with their parent."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from types import FrameType

#: Set by SIGINT and SIGTERM; training looks at it after every batch, saves itself and ends.
STOP = threading.Event()
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process with its parent, so that a killed flow or dvc leaves no training behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def handle_signals() -> None:
    """Let SIGINT and SIGTERM set ``STOP``; a second one interrupts."""

    def ask(number: int, frame: FrameType | None) -> None:
        if STOP.is_set():
            raise KeyboardInterrupt
        STOP.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
