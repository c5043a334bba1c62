"""The servers on a database of the user's: refused where it does not answer, known to nobody who need not know it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from pipelines.core.errors import UserError
from pipelines.flows.prefect_server import free_port
from pipelines.services import command as services_command
from pipelines.services import databases

pytest.importorskip("psycopg2")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in (databases.PREFECT, databases.PREFECT_TOO, databases.MLFLOW):
        monkeypatch.delenv(name, raising=False)


WRONG = {
    "no address": (databases.MLFLOW, "secret", "is not a database URL; one that works: postgresql.psycopg2://"),
    "no port": (databases.MLFLOW, "postgresql://me:secret@127.0.0.1:x/y", "is not a database URL"),
    "a driver that blocks": (databases.PREFECT, "postgresql://me:secret@127.0.0.1:1/x", r"got 'postgresql'; one that works: "),
    "another one": (databases.MLFLOW, "oracle://me:secret@127.0.0.1:1/x", "must begin with one of postgresql.*, got 'oracle'"),
    "nobody there": (databases.MLFLOW, "postgresql://me:secret@127.0.0.1:1/x", r"no connection to postgresql.psycopg2://me:\*\*\*@127"),
    "nor here": (databases.PREFECT, "postgresql+asyncpg://me:secret@127.0.0.1:1/x", r"no connection to postgresql\+asyncpg://me:\*"),
    "no folder": (databases.MLFLOW, "sqlite:////no/such/folder/x.db", "no connection to sqlite:.*unable to open"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "address", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_one_error_without_the_password(monkeypatch, name, address, said):
    monkeypatch.setenv(name, address)
    with pytest.raises(UserError, match=f"^{name}: .*{said}") as error:
        databases.check()
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_without_settings_there_is_nothing_to_connect_to():
    databases.check()


def test_agents_are_not_told_where_the_databases_are():
    told = databases.without_secrets({databases.PREFECT: "x", databases.MLFLOW: "x", "MLFLOW_TRACKING_URI": "y", "PATH": "z"})
    assert told == {"MLFLOW_TRACKING_URI": "y", "PATH": "z"}


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv(databases.MLFLOW, "postgresql://me:secret@127.0.0.1:1/x")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(UserError, match=r"needs the package psycopg2: pip install '\.\[postgres\]'"):
        databases.check()


def settings_of(postgres):
    return {
        databases.PREFECT: f"postgresql+asyncpg://{postgres['prefect']}",
        databases.MLFLOW: f"postgresql://{postgres['mlflow']}",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [databases.PREFECT, databases.MLFLOW])
def test_a_wrong_password_is_not_repeated(monkeypatch, postgres, name):
    right = settings_of(postgres)[name]
    monkeypatch.setenv(name, right)
    databases.check()
    monkeypatch.setenv(name, right.replace("not-for-everyone", "wrong-word"))
    with pytest.raises(UserError, match="password authentication failed") as error:
        databases.check()
    assert "wrong-word" not in str(error.value)


@pytest.fixture
def up(finished_copy, tmp_path, run_in, postgres):
    """Run ``make up`` on PostgreSQL in a clone without any result; return it, the processes, and how to reach them."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", finished_copy, clone], check=True)
    command = [sys.executable, "-m", "pipelines.services"]
    try:
        # Not the usual ones, which other tests may take at the same moment.
        ports = {port.name: str(free_port()) for port in services_command.PORTS}
        pages = run_in(clone, *command, "up", PYTHONPATH="", **ports, **settings_of(postgres)).stdout
        found = dict(line.split(": ", 1) for line in pages.splitlines() if ": http" in line)
        held = json.loads((clone / ".winnow/services.json").read_text())["processes"]
        yield clone, held, {"PREFECT_API_URL": f"{found['Prefect']}/api", "PREFECT_HOME": str(tmp_path / "home")}
    finally:
        run_in(clone, *command, "down", PYTHONPATH="")


@pytest.mark.slow
def test_make_up_on_postgresql_keeps_nothing_in_the_clone_and_tells_no_agent(up):
    clone, held, asking = up
    assert [top["name"] for top in held] == ["prefect", "mlflow", "main", "cpu", "gpu-none"]
    # On whatever port the server is, its page asks that server.
    with urllib.request.urlopen(asking["PREFECT_API_URL"].removesuffix("/api") + "/ui-settings", timeout=30) as answer:
        assert json.loads(answer.read())["api_url"] == asking["PREFECT_API_URL"]
    assert not (clone / "mlflow.db").exists()
    assert not list((clone / ".winnow/prefect").glob("*.db"))
    check_secrets(clone, held)


def check_secrets(clone, held):
    """Check that the password is on no command line, in no log, and in the environment of the servers alone."""
    for process in (p for top in held for p in family(top["pid"])):
        assert "not-for-everyone" not in " ".join(process.cmdline())
    assert not any("not-for-everyone" in log.read_text() for log in (clone / ".winnow/logs").iterdir())
    knows = {top["name"] for top in held if b"not-for-everyone" in Path(f"/proc/{top['pid']}/environ").read_bytes()}
    assert knows == {"prefect", "mlflow"}


def family(pid):
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
