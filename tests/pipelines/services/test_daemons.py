"""Processes are started, found again by number and start, and ended, and nothing else."""

import socket
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from pipelines.core.environment import PREFECT_PORT
from pipelines.core.errors import StageFailedError, UserError
from pipelines.flows.prefect_server import free_port
from pipelines.services import daemons


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_down_ends_what_was_started_and_nothing_else(monkeypatch):
    environment = {"PATH": "/usr/bin"}
    mine = daemons.start("mine", SLEEP, environment)
    other = subprocess.Popen(SLEEP)
    try:
        held = daemons.recorded()
        assert [daemon.name for daemon in held.processes] == ["mine"]
        # A process that has the number of one that has ended.
        old = daemons.Daemon(name="old", pid=other.pid, started=1.0)
        held.model_copy(update={"processes": [*held.processes, old]}).write(daemons.STATE)
        daemons.end_all()
        assert mine.wait(5) is not None
        assert other.poll() is None
        assert not daemons.STATE.exists()
        daemons.end_all()
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_one_that_does_not_listen_is_killed_with_those_below_it(monkeypatch):
    monkeypatch.setattr(daemons, "END_SECONDS", 0.5)
    deaf = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    deaf += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print('x', flush=True); time.sleep(600)"
    process = daemons.start("deaf", [sys.executable, "-c", deaf], {"PATH": "/usr/bin"})
    log = daemons.LOGS / "deaf.log"
    while not log.read_text():
        assert process.poll() is None
    children = psutil.Process(process.pid).children()
    assert len(children) == 1
    daemons.end_all()
    assert process.wait(5) is not None
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_port_that_is_asked_for_is_had_or_refused(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert daemons.port(replace(PREFECT_PORT, default=number)) != number
        monkeypatch.setenv("WINNOW_PREFECT_PORT", str(number))
        with pytest.raises(UserError, match=f"WINNOW_PREFECT_PORT: port {number} is taken; a free one is "):
            daemons.port(PREFECT_PORT)
    assert daemons.port(PREFECT_PORT) == number
    for wrong in ("0", "65536", "x", "-1"):
        monkeypatch.setenv("WINNOW_PREFECT_PORT", wrong)
        with pytest.raises(UserError, match="must be a port from 1 to 65535"):
            daemons.port(PREFECT_PORT)


def test_a_server_of_somebody_else_on_the_port_is_not_taken_for_ours():
    serve = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), None).serve_forever()"
    port = str(free_port())
    first = daemons.start("first", [sys.executable, "-c", serve, port], {"PATH": "/usr/bin"})
    try:
        daemons.wait_for_port(first, int(port), "the first")
        second = daemons.start("second", [sys.executable, "-c", serve, port], {"PATH": "/usr/bin"})
        with pytest.raises(StageFailedError, match=f"the second does not listen on port {port}; its log is in"):
            daemons.wait_for_port(second, int(port), "the second")
        second.wait()
    finally:
        daemons.end_all()
        first.wait()
