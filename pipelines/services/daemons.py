"""Daemons of this clone: started, recorded by process id, ended."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress

from pipelines.core import artifacts
from pipelines.core.environment import Variable
from pipelines.core.errors import StageFailedError, UserError
from pipelines.core.records import Record
from pipelines.flows.prefect_server import START_SECONDS, free_port

STATE, LOGS = artifacts.SCRATCH / "services.json", artifacts.SCRATCH / "logs"
END_SECONDS = 30


class Daemon(Record):
    """A started process: name, process id, and start time by the system's clock."""

    name: str
    pid: int
    started: float


class Daemons(Record):
    """The recorded ``processes`` in order of their start, and the URLs of ``pages`` by name."""

    processes: list[Daemon]
    pages: dict[str, str]


def port(variable: Variable[int]) -> int:
    """Return the port set by ``variable``, else the default if free, else a free one.

    Raises:
        UserError: if the variable's port is invalid or taken.
    """
    wanted = variable.value()
    if _is_free(wanted):
        return wanted
    if variable.is_set:
        raise UserError(f"{variable.name}: port {wanted} is taken; a free one is {free_port()}")
    return free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, and record it at once."""
    import psutil

    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        path = str(shutil.which(command[0], path=environment["PATH"]))
        process = subprocess.Popen(
            [path, *command[1:]], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    started, before = psutil.Process(process.pid).create_time(), recorded()
    daemon = Daemon(name=name, pid=process.pid, started=started)
    before.model_copy(update={"processes": [*before.processes, daemon]}).write(STATE)
    return process


def recorded() -> Daemons:
    """Return the recorded processes and pages."""
    return Daemons.read(STATE) if STATE.exists() else Daemons(processes=[], pages={})


def living(daemon: Daemon) -> bool:
    """Return whether a recorded process still runs.

    Its start time tells it from a new process with the same id.
    """
    import psutil

    try:
        found = psutil.Process(daemon.pid)
        return bool(abs(found.create_time() - daemon.started) < 1 and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_port(process: subprocess.Popen[bytes], port: int, of: str) -> None:
    """Wait until a started process or a child of it listens on ``port``.

    Another process may have taken the port meanwhile, and answer there.

    Raises:
        StageFailedError: if the process ends first, or it takes too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _listens(process.pid, port):
            return
        time.sleep(0.1)
    raise StageFailedError(
        f"{of} does not listen on port {port}; its log is in {LOGS}; run the command again to use a free port"
    )


def _listens(pid: int, port: int) -> bool:
    import psutil

    with suppress(psutil.NoSuchProcess):
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        found = (c for process in family for c in process.net_connections("inet"))
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found)
    return False


def end(pid: int) -> None:
    """End a process and its children: by SIGTERM, then by SIGKILL."""
    import psutil

    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    with suppress(psutil.NoSuchProcess):
        every[0].send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(every, timeout=END_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)


def end_all() -> None:
    """End the recorded processes, the last started first, and nothing else."""
    for daemon in reversed(recorded().processes):
        if living(daemon):
            end(daemon.pid)
    STATE.unlink(missing_ok=True)
