"""MLflow's own server shows a comparison, and is told of one by HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import ViewType

from pipelines.core import artifacts
from pipelines.core.artifacts import read_json
from pipelines.tracking import comparison as tracking
from tests.pipelines.tracking.seen import METHODS, Seen

pytestmark = pytest.mark.slow


@pytest.fixture
def server(project):
    """Serve the published comparison on a free port, and end the server with all its processes."""
    tracking.publish()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///mlflow.db"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": ""}
    with Path("server.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/health", process)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(address, process):
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"MLflow's server does not answer:\n{Path('server.log').read_text()[-3000:]}")


def test_the_pages_of_mlflow_show_the_runs(server, project, tmp_path, browse):
    # In the order of a metric, children stand beside their parent; in that of time, they are folded into it.
    address = f"{server}/#/experiments/{Seen().experiment}/runs?orderByKey=metrics.%60test_accuracy%60&orderByAsc=false"
    page = browse(address, tmp_path, "--dump-dom")
    for name in ("digits comparison", *METHODS):
        assert f">{name}<" in page, f"{name} is not on the page"
    browse(address, tmp_path, f"--screenshot={tmp_path / 'runs.png'}")
    assert (tmp_path / "runs.png").read_bytes().startswith(b"\x89PNG")


def test_a_server_is_told_by_http_too(server, project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    # What a slow machine needs; the default is for a dead server.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    parent_id = tracking.publish()
    client = mlflow.MlflowClient(server)
    experiment = client.get_experiment_by_name("another").experiment_id
    runs = client.search_runs([experiment], run_view_type=ViewType.ALL)
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert sorted(r.info.run_name for r in runs) == ["digits comparison", *METHODS]
    table = client.download_artifacts(parent_id, "compare/comparison.json", str(project))
    assert json.loads(Path(table).read_text()) == read_json(artifacts.COMPARISON / "comparison.json")
    assert tracking.publish() == parent_id
    assert len(client.search_runs([experiment])) == len(runs)
