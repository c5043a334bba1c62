"""MLflow is told which agent ran what, once, and the flow's table where MLflow shows it."""

import json

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


def test_methods_runs_say_which_agents_ran_their_stages(copy_of_finished, tmp_path, monkeypatch):
    """What is published is in a worktree of the agent's clone, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lock = (copy_of_finished / "dvc.lock").read_bytes()
    (copy_of_finished / agents.SENT).write_text(json.dumps(SENT))
    comparison = tracking.publish(pytest.fail, copy_of_finished)
    assert tracking.publish(pytest.fail, copy_of_finished) == comparison
    client = mlflow.MlflowClient(f"sqlite:///{copy_of_finished / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("winnow").experiment_id
    runs = {r.data.tags.get("method"): r for r in client.search_runs([experiment])}
    said = {k: v for k, v in runs["swiftlearn"].data.tags.items() if k.startswith(("agent.", "device."))}
    assert said == {"agent.warm_up": "gpu-1", "device.warm_up": "cpu", "agent.train": "gpu-2", "device.train": "cpu"}
    waits = {k: v for k, v in runs["swiftlearn"].data.metrics.items() if k.startswith("queued_seconds")}
    assert waits == {"queued_seconds_warm_up": 1.5, "queued_seconds_train": 0.25}
    assert len(client.get_metric_history(runs["swiftlearn"].info.run_id, "queued_seconds_train")) == 1
    assert runs["full"].data.tags["agent.evaluate"] == "unknown"
    assert "agent.train" not in runs["full"].data.tags
    assert (copy_of_finished / "dvc.lock").read_bytes() == lock
    assert runs[None].data.tags["winnow.complete"] == "true"
    in_runs = {path.path for path in client.list_artifacts(runs[None].info.run_id)}
    assert {"compare", "account.json"} <= in_runs
    # Not on the web, they have no pages.
    assert agents.links(comparison, copy_of_finished) == {}
