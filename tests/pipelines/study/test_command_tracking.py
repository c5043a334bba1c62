"""MLflow is told of a study once, also of one whose database was deleted and whose publish died."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import mlflow
import pytest

from pipelines.core.artifacts import read_json
from pipelines.study import command as study_command
from pipelines.study.report import page as study_page
from pipelines.trials.study_tables import StudyTables
from tests.pipelines.study.digits import CELLS, finish, marks, start


@pytest.fixture
def told(studied, tmp_path, monkeypatch, new_database):
    """Go to a copy of the finished study; return what its MLflow holds, and publish again as often as called."""
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    folder = Path(shutil.copytree(studied, tmp_path / "project", symlinks=True))
    subprocess.run(["rm", "-rf", str(folder / "mlruns")], check=True)
    shutil.copy(new_database, folder / "mlflow.db")
    monkeypatch.chdir(folder)

    def runs():
        study_command.study()
        client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        found = client.search_runs([client.get_experiment_by_name("winnow").experiment_id])
        (parent,) = [r for r in found if "mlflow.parentRunId" not in r.data.tags]
        return client, parent, {r.info.run_name: r for r in found if r is not parent}

    return runs


@pytest.mark.slow
def test_a_study_is_a_parent_and_each_cell_a_child(told, studied):
    client, parent, runs = told()
    assert parent.info.run_name == "digits study"
    assert parent.info.status == "FINISHED"
    assert len(runs) == CELLS
    assert {r.data.tags["mlflow.parentRunId"] for r in runs.values()} == {parent.info.run_id}
    trial = runs["swiftlearn-0.3 seed 1"]
    for facts in (trial.data.tags, trial.data.params):
        assert {"method": "swiftlearn", "keep": "0.3", "seed": "1"}.items() <= facts.items()
    written = read_json(studied / "results/study/digits/study.json")
    (row,) = [r for r in written["cells"] if (r["cell"], r["seed"]) == ("swiftlearn-0.3", 1)]
    numbers = {"test_accuracy": "accuracy", "time_measured": "time_measured", "examples_trained": "examples_trained"}
    numbers |= {f"energy_kwh_{row['energy_label']}": "energy_kwh", "cpu_seconds": "cpu_seconds"}
    assert {k: trial.data.metrics[k] for k in numbers} == {k: pytest.approx(row[v]) for k, v in numbers.items()}
    assert {r.data.tags["comparison"] for r in [parent, *runs.values()]} == {parent.data.tags["comparison"]}
    assert study_page.headline(StudyTables.of(written))[0] in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["mean_accuracy/swiftlearn"] == pytest.approx(written["summary"]["swiftlearn"]["mean"])
    assert {f.path for f in client.list_artifacts(parent.info.run_id, "study")} >= {"study/study.json", "study/cells.csv"}


@pytest.mark.slow
def test_publishing_again_adds_nothing_and_a_dead_tracker_costs_one_line(told, monkeypatch, capfd):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert study_command.study() == 0
    assert "not logged to MLflow; the next publish will log it" in capfd.readouterr().err
    begun = time.monotonic()
    client, _, runs = told()
    assert time.monotonic() - begun < 30
    points = {n: client.get_metric_history(r.info.run_id, "loss") for n, r in runs.items()}
    again, _, found = told()
    assert {n: r.info.run_id for n, r in found.items()} == {n: r.info.run_id for n, r in runs.items()}
    assert {n: again.get_metric_history(r.info.run_id, "loss") for n, r in found.items()} == points


@pytest.mark.slow
def test_a_database_that_was_deleted_is_made_again_from_the_files(told, studied, prefect_home):
    def facts(parent, runs):
        return {n: (r.info.status, r.data.params, r.data.metrics) for n, r in (runs | {"parent": parent}).items()}

    before = marks(Path())
    assert "nothing had changed" in finish(start(Path(), **prefect_home))
    database = mlflow.MlflowClient(f"sqlite:///{studied / 'mlflow.db'}")
    runs = {r.info.run_name: r for r in database.search_runs([database.get_experiment_by_name("winnow").experiment_id])}
    parent = runs.pop("digits study")
    _, again, found = told()
    assert facts(again, found) == facts(parent, runs)
    assert (len(found), marks(Path())) == (CELLS, before)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["Tracker.log", "Tracker.finish"])
def test_a_publish_that_died_is_made_good_by_the_next(told, monkeypatch, broken):
    def die(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.tracking.client.{broken}", die)
        with pytest.raises(KeyboardInterrupt):
            study_command.study()
    _, parent, runs = told()
    assert len(runs) == CELLS
    assert {r.info.status for r in (parent, *runs.values())} == {"FINISHED"}
