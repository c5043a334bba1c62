"""What was deleted, cannot be reached, died or failed is told of in one line, and made good by the next publish."""

import shutil
import sys
from pathlib import Path

import mlflow
import pytest

from pipelines.core import artifacts
from pipelines.core.artifacts import read_json
from pipelines.tracking import comparison as tracking
from tests.pipelines.tracking.seen import METHODS, Seen, is_complete

pytestmark = pytest.mark.slow
DEAD = "http://127.0.0.1:9"
PARENT = "mlflow.parentRunId"


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_database_that_was_deleted_is_made_again_from_the_files(project, run_in):
    def published():
        run_in(project, sys.executable, "-m", "pipelines.tracking")
        # Under a name of its own: this process keeps what it has opened, also when that is deleted.
        Path("mlflow.db").rename(f"seen-{len(found)}.db")
        found.append(Seen(f"seen-{len(found)}.db"))
        shutil.rmtree("mlruns")
        runs = {r.info.run_name: r for r in found[-1].runs}
        assert len(runs) == len(found[-1].runs) == 1 + len(METHODS)
        return {n: (r.info.status, r.data.params, r.data.metrics, r.data.tags | {PARENT: ""}) for n, r in runs.items()}

    found = []
    assert published() == published()
    assert len(found[1].models()) == len(METHODS)
    assert {r.info.run_id for r in found[0].runs}.isdisjoint(r.info.run_id for r in found[1].runs)


def test_the_first_publish_makes_the_database_and_is_silent_too(project, run_in):
    (project / "mlflow.db").unlink()
    done = run_in(project, sys.executable, "-m", "pipelines.tracking")
    assert (done.stdout, done.stderr) == ("", "")
    assert len(Seen().runs) == 1 + len(METHODS)


@pytest.mark.parametrize(
    "broken",
    [
        "method_runs._dataset",
        "models.Models.log",
        "models.Models._sign",
        "method_runs.metrics_of",
        "client.Tracker.log",
        "comparison._log_comparison",
        "client.Tracker.finish",
    ],
)
def test_a_publish_that_died_is_made_good_by_the_next(project, monkeypatch, broken):
    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.tracking.{broken}", die)
        with pytest.raises(Killed):
            tracking.publish()
    assert not any(r.info.status == "FINISHED" for r in Seen().parents)
    parent_id = tracking.publish()
    assert is_complete(Seen(), parent_id)


def test_a_publish_that_died_after_its_model_leaves_no_second_model(project, monkeypatch):
    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "set_terminated", die)
        with pytest.raises(Killed):
            tracking.publish()
    assert len(Seen().models()) == 1
    parent_id = tracking.publish()
    assert is_complete(Seen(), parent_id)


def test_a_dead_tracker_costs_one_line(project, monkeypatch, capfd, run_in):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
        assert tracking.publish() is None
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("winnow tracking: not logged to MLflow; the next publish will log it: ")
    assert said.err.count("\n") == 1
    assert "secret" not in said.err
    run_in(project, sys.executable, "-m", "pipelines.tracking", MLFLOW_TRACKING_URI=DEAD)
    parent_id = tracking.publish()
    assert is_complete(Seen(), parent_id)


@pytest.mark.parametrize("address", ["http://host:port/", "http://[::1"])
def test_an_address_that_is_none_costs_one_line_too(project, monkeypatch, capfd, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert tracking.publish() is None
    said = capfd.readouterr().err
    assert said.startswith("winnow tracking: not logged to MLflow; the next publish will log it: ")
    assert said.count("\n") == 1
    assert address.partition("://")[0] in said


def test_an_experiment_that_was_deleted_is_named_with_the_way_back(project, capfd):
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    found = client.get_experiment_by_name("winnow")
    place = found.experiment_id if found else client.create_experiment("winnow")
    client.delete_experiment(place)
    assert tracking.publish() is None
    restore = f"mlflow experiments restore --experiment-id {place}"
    assert f"the experiment 'winnow' is deleted; run '{restore}'" in capfd.readouterr().err
    client.restore_experiment(place)
    parent_id = tracking.publish()
    assert is_complete(Seen(), parent_id)


def test_a_database_that_cannot_be_opened_costs_one_line_however_often_it_is_tried(project, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user:secret@127.0.0.1:9/winnow")
    assert [tracking.publish(), tracking.publish()] == [None, None]
    assert capfd.readouterr().err.count("\n") == 1


def test_what_failed_is_failed_until_it_succeeds(project):
    tracking.fail("train@swiftlearn", "train@swiftlearn: the loss is nan")
    seen = Seen()
    assert [(r.info.run_name, r.info.status) for r in seen.children] == [("swiftlearn", "FAILED")]
    assert seen.parents[0].info.status == "FAILED"
    for run in seen.runs:
        assert run.data.tags["winnow.failed"] == "train@swiftlearn: the loss is nan"
    parent_id = tracking.publish()
    assert parent_id == seen.parents[0].info.run_id
    assert is_complete(Seen(), parent_id)


def test_a_failure_stands_while_its_results_are_missing(project):
    tracking.publish()
    shutil.rmtree("results/train/swiftlearn")
    tracking.fail("train@swiftlearn", "killed")
    tracking.publish()
    assert [r.info.status for r in Seen().parents] == ["FAILED"]
    assert [r.info.status for r in Seen().children if r.info.run_name == "swiftlearn"].count("FAILED") == 1


def test_a_comparison_that_failed_before_its_data_becomes_the_one_that_succeeds(project):
    kept = Path("results/prepare").rename("kept")
    tracking.fail("prepare", "no such file")
    tracking.fail("prepare", "no such file")
    (failed,) = Seen().parents
    assert failed.info.status == "FAILED"
    assert tracking.publish() is None
    kept.rename("results/prepare")
    assert tracking.publish() == failed.info.run_id
    assert is_complete(Seen(), failed.info.run_id)
    assert Seen().parents[0].data.tags["data"] == read_json(artifacts.MANIFEST)["content"]
