"""Subprocesses that end with the process that started them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from pipelines.core.artifacts import HERE
from pipelines.core.signals import STOP

#: Seconds for a command to save its state after SIGINT, and for its last output lines to arrive after its end.
GRACE_SECONDS, LINES_SECONDS = 60, 5
#: Seconds after which a thread that waits for a command learns that it is to stop.
STOP_SECONDS = 0.5


def call(*command: str, said: Callable[[str], None] | None = None, root: Path = HERE) -> int:
    """Run a command and return its exit status; it ends when this process does, or is asked to stop.

    Args:
        command: program and arguments.
        said: is called with each line of output, from a thread; None to inherit this process's output.
        root: the folder that it runs in.

    Raises:
        KeyboardInterrupt: if ``signals.STOP`` is set when it starts or, outside the main thread, while it runs.
    """
    process = start(*command, pipe=said is not None, root=root)
    readers = [] if said is None else [threading.Thread(target=_read, args=(process, said), daemon=True)]
    for reader in readers:
        reader.start()
    try:
        code = _wait(process)
    except BaseException:
        end(process, seconds=GRACE_SECONDS)
        raise
    for reader in readers:
        # With a limit: processes that the command left running may hold the pipe open.
        reader.join(LINES_SECONDS)
    return code


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status; signals interrupt the main thread alone, so others ask whether to stop."""
    seconds = None if threading.current_thread() is threading.main_thread() else STOP_SECONDS
    while True:
        if STOP.is_set():
            raise KeyboardInterrupt
        with suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)


def _read(process: subprocess.Popen[bytes], said: Callable[[str], None]) -> None:
    r"""Forward output lines; of a line rewritten with \r (a progress bar) only the last text."""
    if process.stdout is None:
        return
    with process.stdout as lines:
        for line in lines:
            if text := line.decode(errors="replace").rstrip().rpartition("\r")[2]:
                said(text)


def start(
    *command: str, pipe: bool = False, log: Path | None = None, root: Path = HERE, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a command that the kernel kills when this process dies; Ctrl-C reaches it only through ``end``.

    It runs in the folder ``root``. Its stdout and stderr go to the file ``log``; with ``pipe``, they are to be read from its
    ``stdout``.
    """
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    everything = {**os.environ, "PATH": path, **environment}
    line = [*guard, *command]
    with ExitStack() as files:
        out = files.enter_context(log.open("wb")) if log else subprocess.PIPE if pipe else None
        error = None if out is None else subprocess.STDOUT
        return subprocess.Popen(line, cwd=root, start_new_session=True, env=everything, stdout=out, stderr=error)


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Interrupt the whole process group, wait ``seconds`` for it to save its state, then kill it."""
    for number, patience in ((signal.SIGINT, seconds), (signal.SIGTERM, 5), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            process.wait()
        return
