"""A study as agents run it: in a worktree at a revision, gone on with after a failure, and told to MLflow."""

import os
import subprocess

import mlflow
import pytest

from pipelines import dispatch_study, worktree

pytestmark = pytest.mark.slow
SMALL = {
    "study": {"methods": {"swiftlearn": "two-epochs"}, "fractions": [0.5], "seeds": [0]},
    "tasks.digits.training.epochs": 3,
}


@pytest.fixture
def clone(finished_copy, tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith(("WINNOW_", "GIT_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    subprocess.run(["git", "clone", "--quiet", finished_copy, tmp_path / "clone"], check=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONWARNINGS", "")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def test_a_study_goes_on_where_it_failed_and_leaves_its_tables_in_mlflow(clone, tmp_path, monkeypatch):
    asked = {"task": "digits", "overrides": SMALL}
    with monkeypatch.context() as broken:
        broken.setenv("WINNOW_DEVICE", "cuda:99")
        ended = dispatch_study.study.fn(**asked)
    assert ended.is_failed(), ended
    assert dispatch_study.study.fn(**asked) is None
    assert not list((clone / worktree.KEPT).iterdir())
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("winnow").experiment_id])
    whole = next(run for run in runs if run.info.run_name == "digits study")
    assert whole.info.status == "FINISHED"
    assert {"swiftlearn-0.5 seed 0", "full seed 0"} <= {run.info.run_name for run in runs}
    refused = dispatch_study.study.fn(task="digit")
    assert "did you mean 'digits'" in refused.message
    assert not list((clone / worktree.KEPT).iterdir())
