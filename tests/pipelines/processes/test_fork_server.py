"""A program that is handed over runs as it would by itself, and nothing of it is left when its client or the server dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, os, signal, sys, time
import library
what = sys.argv[1]
if what == "say":
    facts = dict(argv=sys.argv[1:], name=__name__, folder=os.getcwd(), value=os.environ.get("VALUE"), text=sys.stdin.read())
    facts["server"] = library.IMPORTED_BY
    print(json.dumps(facts))
    print("error", file=sys.stderr)
if what == "exit":
    sys.exit(eval(sys.argv[2]))
if what == "fail":
    raise ValueError("boom")
if what == "die":
    os.kill(os.getpid(), int(sys.argv[2]))
if what == "wait":
    try:
        print(os.getpid(), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a folder with a program and a library that it imports."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "library.py").write_text("import os\nIMPORTED_BY = os.getpid()\n")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("WINNOW_FORK_SERVER", raising=False)
    return tmp_path


@pytest.fixture
def server(project, monkeypatch):
    """Run a server that has imported the library, and name it in the environment."""
    address = project / "s"
    command = [sys.executable, "-m", "pipelines.processes.fork_server", str(address), "library", "no_such_module"]
    process = subprocess.Popen(command, cwd=project)
    while not address.exists():
        assert process.poll() is None
        time.sleep(0.01)
    monkeypatch.setenv("WINNOW_FORK_SERVER", str(address))
    yield process
    process.kill()
    process.wait()


def client(project, *arguments, **options):
    command = [sys.executable, "-m", "pipelines.processes", "program", *arguments]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ended(project, *arguments, **options):
    process = client(project, *arguments, **options)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


def said_by(project):
    process = client(project, "say", "two words", stdin=subprocess.PIPE)
    out, error = process.communicate("typed", timeout=60)
    assert process.returncode == 0
    assert error == "error\n"
    return json.loads(out)


def wait_until_gone(pid):
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_has_its_clients_arguments_folder_environment_and_files_and_the_servers_imports(project, server, monkeypatch):
    monkeypatch.setenv("VALUE", "of the client")
    said = said_by(project)
    assert said.pop("server") == server.pid
    expected = {"name": "__main__", "folder": str(project), "value": "of the client", "text": "typed"}
    assert said == {"argv": ["say", "two words"], **expected}


def test_without_a_server_it_runs_by_itself(project, monkeypatch):
    assert said_by(project)["argv"] == ["say", "two words"]
    monkeypatch.setenv("WINNOW_FORK_SERVER", str(project / "nobody"))
    assert said_by(project)["argv"] == ["say", "two words"]


def test_code_that_changed_since_it_was_imported_is_not_run(project, server):
    assert said_by(project)["server"] == server.pid
    (project / "library.py").write_text("IMPORTED_BY = 'edited'\n")
    assert said_by(project)["server"] == "edited"


@pytest.mark.parametrize("arguments", [("exit", "0"), ("exit", "3"), ("exit", "None"), ("exit", "'words'"), ("fail",)])
def test_it_ends_with_the_same_status_as_by_itself(project, server, monkeypatch, arguments):
    code, _, error = ended(project, *arguments)
    monkeypatch.delenv("WINNOW_FORK_SERVER")
    alone = ended(project, *arguments)
    assert (code, error.splitlines()[-1:]) == (alone[0], alone[2].splitlines()[-1:])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_its_client_ends_by_the_same_signal(project, server, number):
    assert ended(project, "die", str(int(number)))[0] == -number


def test_a_signal_to_the_client_reaches_it(project, server):
    process = client(project, "wait")
    pid = int(process.stdout.readline())
    assert psutil.Process(pid).ppid() == server.pid
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "interrupted\n"
    assert process.returncode == 130


@pytest.mark.parametrize("killed", ["client", "server"])
def test_nothing_is_left_when_one_of_the_two_is_killed(project, server, killed):
    process = client(project, "wait")
    pid = int(process.stdout.readline())
    (process if killed == "client" else server).kill()
    wait_until_gone(pid)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL


def test_a_client_that_says_nothing_sensible_harms_nobody(project, server):
    with socket.socket(socket.AF_UNIX) as strange:
        strange.connect(os.environ["WINNOW_FORK_SERVER"])
        strange.sendall(b"\0\0\0\5hello")
        assert strange.recv(10) == b""
    assert said_by(project)["server"] == server.pid
