"""MLflow is told which agent ran what, once, and the flow's table where MLflow shows it."""

import json
from pathlib import Path

import mlflow
import pytest

from pipelines.tracking import agents
from pipelines.tracking import comparison as tracking

pytestmark = pytest.mark.slow
SENT = {
    "warm_up@two-epochs": {"agent": "gpu-1", "queued_seconds": 1.5},
    "train@swiftlearn": {"agent": "gpu-2", "queued_seconds": 0.25},
    "evaluate@full": {"agent": None, "queued_seconds": 3.0},
}


def test_methods_runs_say_which_agents_ran_their_stages(copy_of_finished, monkeypatch):
    monkeypatch.chdir(copy_of_finished)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lock = Path("dvc.lock").read_bytes()
    agents.SENT.write_text(json.dumps(SENT))
    comparison = tracking.publish()
    assert tracking.publish() == comparison
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    experiment = client.get_experiment_by_name("winnow").experiment_id
    runs = {r.data.tags.get("method"): r for r in client.search_runs([experiment])}
    said = {k: v for k, v in runs["swiftlearn"].data.tags.items() if k.startswith(("agent.", "device."))}
    assert said == {"agent.warm_up": "gpu-1", "device.warm_up": "cpu", "agent.train": "gpu-2", "device.train": "cpu"}
    waits = {k: v for k, v in runs["swiftlearn"].data.metrics.items() if k.startswith("queued_seconds")}
    assert waits == {"queued_seconds_warm_up": 1.5, "queued_seconds_train": 0.25}
    assert len(client.get_metric_history(runs["swiftlearn"].info.run_id, "queued_seconds_train")) == 1
    assert runs["full"].data.tags["agent.evaluate"] == "unknown"
    assert "agent.train" not in runs["full"].data.tags
    assert Path("dvc.lock").read_bytes() == lock
    # Not on the web, they have no pages.
    assert agents.links(comparison) == {}
