"""Servers and agents of a machine: for which devices, and in what environment."""

import base64
import http.server
import os
import threading
from contextlib import contextmanager

import pytest

from pipelines.core.errors import StageFailedError, UserError
from pipelines.services import command, databases


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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


def test_agents_and_make_up_have_the_password_that_the_server_asks_for(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("PREFECT_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:word")
    found = command._environment("http://127.0.0.1:4201", "http://127.0.0.1:5001")
    assert found["PREFECT_SERVER_UI_API_URL"] == found["PREFECT_API_URL"] == "http://127.0.0.1:4201/api"
    assert found["PREFECT_API_AUTH_STRING"] == "me:word"
    assert "PREFECT_SERVER_API_AUTH_STRING" not in databases.without_secrets(found)
    assert found["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    with asking(200) as (address, seen):
        for given in (found, {}):
            with command._client(given | {"PREFECT_API_URL": address}) as client:
                assert client.read_automations_by_name("none") == []
    assert set(seen) == {f"Basic {base64.b64encode(b'me:word').decode()}", None}


def test_a_server_that_refuses_is_one_line():
    with (
        asking(401) as (address, _),
        pytest.raises(StageFailedError, match=rf"^Prefect's server: Client error '401 Unauthorized' for url '{address}[^\n]*$"),
        command._client({"PREFECT_API_URL": address}) as client,
    ):
        client.read_automations_by_name("none")


def test_mlflow_does_not_ask_for_users_that_the_agents_are_not(monkeypatch):
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", "users.ini")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    monkeypatch.setenv("MLFLOW_FLASK_SERVER_SECRET_KEY", "x")
    with pytest.raises(UserError, match=r"^MLFLOW_AUTH_CONFIG_PATH: is set, but these are not: MLFLOW_TRACKING_PASSWORD$"):
        command._environment("http://127.0.0.1:4201", "http://127.0.0.1:5001")


@contextmanager
def asking(status):
    """Serve pages of this status that note who asks."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.headers.get("Authorization"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"[]")

        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api", seen
        finally:
            server.shutdown()
            thread.join()
