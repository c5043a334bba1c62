"""Client of a fork server: hands a program over, and ends as it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from pipelines.core.environment import FORK_SERVER
from pipelines.core.signals import die_with_parent
from pipelines.processes.fork_protocol import GO, Request, send

#: Modules that are run in copies of the server: those that import much, and start no processes that look for their program.
STAGES = frozenset(
    f"pipelines.{n}" for n in ("prepare", "warm_up", "diagnose", "subset", "train", "evaluate", "account", "compare")
)


def hand_over(module: str, arguments: list[str]) -> None:
    """Run ``module`` in a copy of the fork server, and exit with its status; return if the server is away or refuses."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(FORK_SERVER.value())
        send(connection, Request(module, arguments, os.getcwd(), dict(os.environ)))
        lines = connection.makefile("rb")
        begun = lines.readline()
    except OSError:
        return
    if not begun or not (pid := json.loads(begun)["pid"]):
        return
    die_with_parent()
    _pass_signals_on(pid)
    connection.sendall(GO)
    ended = lines.readline()
    _end(json.loads(ended)["status"] if ended else -signal.SIGKILL)


def hand_over_stage(line: list[str]) -> None:
    """Hand over ``line``, a stage's module and its name, if it is one; other modules of the project run where they are."""
    if line and line[0] in STAGES:
        hand_over(line[0], line[1:])
        # What it starts runs by itself, too.
        os.environ.pop(FORK_SERVER.name)


def _pass_signals_on(pid: int) -> None:
    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.killpg(pid, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)


def _end(status: int) -> NoReturn:
    """End as the process did: by the same signal, or with the same status."""
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
