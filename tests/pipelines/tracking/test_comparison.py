"""MLflow is told everything that the files say, once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from components.tasks.batch import Rows
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.tracking import comparison as tracking
from pipelines.tracking import metrics
from pipelines.versioning import dvc_lock
from pipelines.versioning.dvc_lock import read_lock
from tests.pipelines.tracking.seen import METHODS, Seen, is_complete

pytestmark = pytest.mark.slow


def test_a_comparison_is_a_parent_and_each_method_a_child(project):
    parent_id = tracking.publish()
    seen = Seen()
    assert is_complete(seen, parent_id)
    assert all(r.data.tags["mlflow.parentRunId"] == parent_id for r in seen.children)
    assert seen.parents[0].info.run_name == "digits comparison"
    assert {r.data.tags["comparison"] for r in seen.runs} == {seen.parents[0].data.tags["comparison"]}
    assert seen.files(seen.parents[0], "compare") == {
        f"compare/{n}" for n in ("score_against_time.png", "comparison.csv", "comparison.json", "report.html")
    }


def test_the_parent_has_what_is_in_the_data(project):
    tracking.publish()
    (parent,) = Seen().parents
    told = read_json(artifacts.DIAGNOSIS / "diagnosis.json")
    assert parent.data.metrics["diagnosis/effective_sample_size"] == told["gradient"]["effective_sample_size"]
    assert parent.data.metrics["diagnosis/leaked_exact"] == told["duplicates"]["leaked_exact"]
    assert parent.data.tags["winnow.advice"].startswith(("Try", "Select nothing"))
    found = Seen().files(parent, "diagnose")
    assert {f"diagnose/{n}" for n in ("report.html", "suspects.csv", "duplicates.csv", "diagnosis.json")} <= found


def test_a_child_says_what_was_run_and_made_from_what(project):
    tracking.publish()
    run, manifest = Seen().child("swiftlearn"), read_json(artifacts.MANIFEST)
    lock = read_lock()
    outs = {o["path"]: o["md5"] for stage in lock.values() for o in stage["outs"]}
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    expected = {
        "task": "digits", "method": "swiftlearn", "warm_up": "two-epochs", "seed": "0", "data": manifest["content"],
        "scores": outs["results/warm_up/two-epochs/scores.parquet"], "subset": outs["results/subset/swiftlearn/subset.parquet"],
        "model": outs["results/train/swiftlearn/model"], "dvc.lock": dvc_lock.md5_of(Path("dvc.lock")),
        "mlflow.source.git.commit": head, "keep": "0.3",
    }  # fmt: skip
    assert expected.items() <= run.data.tags.items()
    asked = {
        "warm_up": "two-epochs",
        "keep": "0.3",
        "seed": "0",
        "swiftlearn.fraction": "0.3",
        "training.batch_size": "32",
        "model.name": "mlp",
    }
    assert asked.items() <= run.data.params.items()
    given = {i.dataset.name: (i.dataset.digest, {t.key: t.value for t in i.tags}) for i in run.inputs.dataset_inputs}
    assert given == {
        f"digits {split}": (
            dvc_lock.md5_of(artifacts.PREPARED / f"{split}.arrow"),
            {"mlflow.data.context": context, "dvc.md5": outs["results/prepare"]},
        )
        for split, context in (("train", "training"), ("test", "testing"))
    }


def test_a_child_has_the_numbers_of_the_files(project):
    tracking.publish()
    seen = Seen()
    run = seen.child("swiftlearn")
    history = read_json(result("train", "swiftlearn", "history.json"))
    for metric in metrics.EACH_EPOCH:
        assert sorted(seen.history(run, metric)) == [(r["epoch"], pytest.approx(r[metric])) for r in history]
    accounts = read_json(artifacts.ACCOUNT)["methods"]
    account = accounts["swiftlearn"]
    trained = [sum(r["trained"] for r in history[: r["epoch"] + 1]) for r in history]
    assert sorted(seen.history(run, "examples_trained_so_far")) == list(enumerate(trained))
    counted = sorted(seen.history(run, "counted_cpu_seconds_so_far"))
    assert counted[-1] == (len(history) - 1, pytest.approx(account["counted_cpu_seconds"]))
    tested = read_json(result("evaluate", "swiftlearn", "metrics.json"))
    label = account["energy"]["label"]
    final = {k if k.startswith(("chance_", "above_chance")) else f"test_{k}": v for k, v in tested.items()}
    final |= {k: account[k] for k in metrics.IN_ACCOUNT}
    final |= {"cpu_seconds": account["measured_cpu_seconds"], f"energy_kwh_{label}": account["energy"]["kwh"]}
    final |= {"energy_kwh_modelled": account["energy_modelled"]["kwh"]}
    final |= {f"saved_energy_kwh_{label}": accounts["full"]["energy"]["kwh"] - account["energy"]["kwh"]}
    final |= {"saved_cpu_seconds": accounts["full"]["measured_cpu_seconds"] - account["measured_cpu_seconds"]}
    rows = read_json(artifacts.COMPARISON / "comparison.json")["rows"]
    final |= {"agot": next(r["agot"] for r in rows if r["method"] == "swiftlearn")}
    assert {k: run.data.metrics[k] for k in final} == pytest.approx(final)
    tables = {"tables/ledger.parquet", "tables/subset.parquet"}
    assert seen.files(run, "tables") == tables
    assert "cost/warm_up.two-epochs.json" in seen.files(run, "cost")


def test_publishing_again_changes_nothing(project):
    parent_id = tracking.publish()
    before = Seen().whole()
    assert tracking.publish() == parent_id
    assert Seen().whole() == before


def test_the_command_is_silent_and_leaves_what_the_function_left(project, run_in):
    tracking.publish()
    before = Seen().whole()
    done = run_in(project, sys.executable, "-m", "pipelines.tracking")
    assert (done.stdout, done.stderr) == ("", "")
    assert Seen().whole() == before


def test_methods_are_told_as_they_finish(project, run_in):
    shutil.rmtree("results/evaluate/swiftlearn")
    parent_id = tracking.publish()
    assert [r.info.run_name for r in Seen().children] == ["full"]
    assert Seen().parents[0].info.status == "RUNNING"
    run_in(project, "dvc", "checkout", "--quiet", "results/evaluate/swiftlearn/metrics.json")
    run_in(project, "dvc", "checkout", "--quiet", "results/evaluate/swiftlearn/predictions.parquet")
    assert tracking.publish() == parent_id
    assert is_complete(Seen(), parent_id)


def test_results_that_are_not_those_of_the_lock_are_not_told(project):
    path = result("train", "full", "history.json")
    path.write_text(path.read_text().replace('"epoch": 0', '"epoch": 9'))
    tracking.publish()
    assert [r.info.run_name for r in Seen().children] == ["swiftlearn"]
    read = read_json(artifacts.plan_of("methods", "swiftlearn"))
    artifacts.write_json(artifacts.plan_of("methods", "swiftlearn"), read | {"warm_up": "none"})
    assert not dvc_lock.Lock().holds("train@swiftlearn")


def test_the_hash_of_every_result_is_the_one_that_dvc_gave_it(project):
    outs = dvc_lock.Lock().outs
    assert len([p for p in outs if Path(p).is_dir()]) >= 4
    assert {path: dvc_lock.md5_of(Path(path)) for path in outs} == outs
    assert dvc_lock.md5_of(Path("absent")) is None


def test_a_new_account_is_told_to_runs_that_were_complete(project):
    tracking.publish()
    account = read_json(artifacts.ACCOUNT)
    account["methods"]["full"]["time_measured"] = 2.0
    artifacts.write_json(artifacts.ACCOUNT, account)
    tracking.publish()
    seen = Seen()
    assert seen.child("full").data.metrics["time_measured"] == 2.0
    assert len(seen.history(seen.child("full"), "time_measured")) == 2
    assert len(seen.history(seen.child("swiftlearn"), "time_measured")) == 1


def test_reaching_mlflow_makes_its_experiment_and_tells_it_nothing(project):
    tracking.reach()
    assert Seen().runs == []


def test_another_seed_is_another_comparison(project, run_in):
    first = tracking.publish()
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("\nseed: 0\n", "\nseed: 1\n"))
    run_in(project, "dvc", "repro", "--quiet", "prepare")
    second = tracking.publish()
    assert second not in (None, first)
    # The old results were made by another plan: they are not the new comparison's.
    assert {r.data.tags["mlflow.parentRunId"] for r in Seen().children} == {first}


def test_the_run_of_mlflow_run_is_left_to_itself_and_points_at_the_comparison(project, monkeypatch):
    tracking.publish()
    seen = Seen()
    outer = seen.client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    shutil.rmtree("mlruns/1")
    parent_id = tracking.publish()
    found = seen.client.get_run(outer)
    assert found.data.tags["winnow.comparison"] == parent_id
    assert found.data.params == {}
    assert os.environ["MLFLOW_RUN_ID"] == outer
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_nothing_is_published_of_a_folder_without_results(tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    assert tracking.publish() is None
    assert Seen().runs == []


@pytest.mark.parametrize("name", METHODS)
def test_a_logged_model_predicts_what_evaluate_did_and_is_no_pickle(project, monkeypatch, name):
    tracking.publish()
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    run = Seen().child(name)
    (logged,) = [m for m in Seen().models() if m.source_run_id == run.info.run_id]
    tested = read_json(result("evaluate", name, "metrics.json"))
    assert {m.key: m.value for m in logged.metrics}["test_accuracy"] == pytest.approx(tested["accuracy"])
    assert (logged.tags["method"], logged.params["method"], logged.status.value) == (name, name, "READY")
    place = Path(logged.artifact_location.removeprefix("file://"))
    described = mlflow.models.get_model_info(str(place))
    assert (described.run_id, described.model_id) == (run.info.run_id, logged.model_id)
    assert {p.suffix for p in place.rglob("*") if p.is_file()} <= {"", ".txt", ".yaml", ".json", ".pt2"}
    assert "torch==" in (place / "requirements.txt").read_text()
    model = mlflow.pytorch.load_model(str(place))
    split = read_split("test", Manifest.prepared())
    every = Rows(torch.arange(len(split.ids)), torch.ones(len(split.ids)))
    logits = model(split.examples.fetch(every, torch.device("cpu")).inputs["input"])
    expected, _ = tables.read_table(result("evaluate", name, "predictions.parquet"))
    np.testing.assert_array_equal(logits.argmax(1).numpy(), expected["predicted"])
