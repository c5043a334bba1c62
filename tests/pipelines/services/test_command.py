"""Servers and agents of a machine: what is started, with what, and that nothing else is ended."""

import base64
import http.server
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipelines.core.environment import PREFECT_PORT
from pipelines.core.errors import StageFailedError, UserError
from pipelines.flows.prefect_server import free_port
from pipelines.services import command, daemons, databases, worker


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_down_ends_what_was_started_and_nothing_else(monkeypatch):
    environment = {"PATH": "/usr/bin"}
    mine = daemons.start("mine", SLEEP, environment)
    other = subprocess.Popen(SLEEP)
    try:
        held = daemons.held()
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
        with pytest.raises(StageFailedError, match=f"the second did not get to listen on port {port}; its log is in"):
            daemons.wait_for_port(second, int(port), "the second")
        second.wait()
    finally:
        daemons.end_all()
        first.wait()


@pytest.mark.parametrize(("given", "devices"), [("", []), ("-1", []), ("2", ["2"]), ("0,GPU-x", ["0", "GPU-x"])])
def test_an_agent_for_each_visible_gpu(given, devices):
    assert command.gpus({"CUDA_VISIBLE_DEVICES": given}) == devices


def test_gpus_are_counted_by_nvidia_smi(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H100 (UUID: a)'\necho 'GPU 1: H100 (UUID: b)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert command.gpus({}) == ["0", "1"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert command.gpus({}) == []


def test_an_agent_says_what_its_environment_lacks():
    given = {"PREFECT_API_URL": "http://127.0.0.1:4200/api", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}
    for name in given:
        with pytest.raises(UserError, match=f"^{name}: is not set"):
            worker.check({k: v for k, v in given.items() if k != name})
    worker.check(given | {"WINNOW_DVC_REMOTE": "/remote"})


def test_an_agent_of_a_device_runs_one_stage_at_a_time_and_one_of_comparisons_many():
    assert worker.command("gpu-pool")[-2:] == ["--limit", "1"]
    assert worker.command(worker.MAIN_POOL)[-2:] == ["--limit", "8"]
    for wrong in ("", "-x", "a b", "../x"):
        with pytest.raises(UserError, match="POOL: must be the name of a work pool"):
            worker.command(wrong)
    assert worker.settings(Path("/clone"))["WINNOW_CLONE"] == "/clone"


def test_agents_and_make_up_have_the_password_that_the_server_asks_for(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("PREFECT_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:word")
    found = command._environment("http://127.0.0.1:4201", "http://127.0.0.1:5001")
    assert found["PREFECT_SERVER_UI_API_URL"] == found["PREFECT_API_URL"] == "http://127.0.0.1:4201/api"
    assert found["PREFECT_API_AUTH_STRING"] == "me:word"
    assert "PREFECT_SERVER_API_AUTH_STRING" not in databases.without_secrets(found)
    assert found["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    with asking() as (address, seen):
        command._post(address, {}, found)
        command._post(address, {}, {})
    assert seen == [f"Basic {base64.b64encode(b'me:word').decode()}", None]


def test_mlflow_does_not_ask_for_users_that_the_agents_are_not(monkeypatch):
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", "users.ini")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    monkeypatch.setenv("MLFLOW_FLASK_SERVER_SECRET_KEY", "x")
    with pytest.raises(
        UserError, match=r"^MLFLOW_AUTH_CONFIG_PATH: is set, and what goes with it is not: MLFLOW_TRACKING_PASSWORD$"
    ):
        command._environment("http://127.0.0.1:4201", "http://127.0.0.1:5001")


@contextmanager
def asking():
    """Serve one page that notes who asks."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", seen
        server.shutdown()
        thread.join()
