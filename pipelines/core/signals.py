"""Signals: SIGINT and SIGTERM set a stop flag; children die with their parent."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from types import FrameType

#: Set by SIGINT and SIGTERM; training checks it after every batch, saves its state and ends; so does a flow before a stage.
STOP = threading.Event()
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process with its parent, so that no training outlives its flow."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def handle_signals() -> None:
    """Make SIGINT and SIGTERM set ``STOP``; a second one raises KeyboardInterrupt."""

    def stop(number: int, frame: FrameType | None) -> None:
        if STOP.is_set():
            raise KeyboardInterrupt
        STOP.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def interrupt_on_signals() -> None:
    """Make SIGINT and SIGTERM set ``STOP`` and raise KeyboardInterrupt, for processes that wait for others.

    The exception alone can be lost: Python drops what is raised in a finalizer or callback, and so may a library.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        STOP.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
