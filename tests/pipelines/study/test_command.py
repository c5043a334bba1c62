"""A study, end to end: killed and gone on with, extended, asked for twice, and in part failing."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import mlflow
import pytest
import yaml

from pipelines.config import loader
from pipelines.core.artifacts import read_json
from pipelines.core.errors import UserError
from pipelines.core.locks import alone
from pipelines.core.tables import read_table
from pipelines.study import command as study_command
from pipelines.study import tracking
from pipelines.study.report import page as study_page
from pipelines.trials import plan_files, runner
from pipelines.trials.grid import grid_of
from pipelines.trials.study_tables import StudyTables
from tests.conftest import ROOT, defaults

#: Two methods, two fractions, two seeds: full, three trials and controls at three costs, each twice.
STUDY = {
    "methods": {"swiftlearn": "two-epochs", "infobatch": "none"},
    "fractions": [0.1, 0.3],
    "seeds": [0, 1],
    "controls": {"learning_rates": [1.0]},
}
CELLS = 20
PUBLISH = tracking.publish
#: What holds timings, or is made of them.
TIMED = ("cost", "account")


def project(folder, **section):
    """Make a project of the study in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for name in ("dvc.yaml", "MLproject"):
        shutil.copy(ROOT / name, folder / name)
    write(folder, **section)
    return folder


def write(folder, **section):
    params = defaults()
    changes = {"task": "digits", "compare": {"full": "none"}, "study": STUDY | section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | changes, sort_keys=False))


def start(folder, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "pipelines.study"]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process, code=0):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


@pytest.fixture(scope="session")
def studied(tmp_path_factory, prefect_home):
    """A project whose study has run; do not change it."""
    folder = project(tmp_path_factory.mktemp("studied") / "project")
    said = finish(start(folder, **prefect_home))
    assert f"{CELLS} of {CELLS} trials to run" in said
    return folder


def found(folder):
    """Return all that decides a study's tables and all that it was made from, by file; timings aside."""
    (study,) = (folder / ".winnow/study").iterdir()
    files = [p.relative_to(study) for p in study.glob("seed-*/results/**/*") if p.is_file()]
    return {p: (study / p).read_bytes() for p in files if p.parts[2] not in TIMED}


def marks(folder):
    return {p: p.stat().st_mtime_ns for p in folder.glob(".winnow/study/*/seed-*/.winnow/done/*.json")}


@pytest.mark.slow
def test_the_tables_hold_every_cell(studied):
    results = studied / "results/study/digits"
    written = read_json(results / "study.json")
    assert StudyTables.of(written).dumped() == written
    assert len(written["cells"]) == CELLS
    assert not any(row["error"] for row in written["cells"])
    assert written["columns"] == ["full", "uniform", "short", "swiftlearn", "infobatch"]
    assert {c["seeds"] for c in written["summary"].values()} == {2}
    assert all(c["deviation"] is not None for c in written["summary"].values())
    full = [r for r in written["cells"] if r["cell"] == "full"]
    assert [r["time_measured"] for r in full] == [1.0, 1.0]
    assert [r["agot"] for r in full] == [pytest.approx(1)] * 2
    assert len((results / "cells.csv").read_text().splitlines()) == CELLS + 1
    assert len((results / "study.csv").read_text().splitlines()) == 1 + 4
    assert (results / "metric_against_time.png").read_bytes().startswith(b"\x89PNG")
    heads, *lines = (results / "table.csv").read_text().splitlines()
    assert heads.split(",")[1:] == written["columns"]
    assert [line.split(",")[0] for line in lines] == ["mean", "deviation", "rank"]


@pytest.mark.slow
def test_the_report_shows_its_tables_in_a_browser(studied, tmp_path, browse):
    path = studied / "results/study/digits/report.html"
    page = browse(f"file://{path}", tmp_path, "--dump-dom")
    written = read_json(studied / "results/study/digits/study.json")
    for column in written["columns"]:
        assert f'<th scope="col">{column}</th>' in page
    assert f">{written['summary']['swiftlearn']['mean']:.4f} ± " in page
    # The verdict, against time, the best trials' learning curves, and those of the one method that has two trials.
    assert page.count("<svg") == 4
    for title in ("Learning curves", "Trained, by class", "Accuracy, by class"):
        assert f"<h2>{title}</h2>" in page
    browse(f"file://{path}", tmp_path, f"--screenshot={tmp_path / 'report.png'}")
    assert len((tmp_path / "report.png").read_bytes()) > 20_000


@pytest.mark.slow
def test_a_cell_is_what_dvc_makes_of_its_block(studied, finished_copy):
    for name, trial in (("full", "full"), ("swiftlearn", "swiftlearn-0.3")):
        (folder,) = studied.glob(".winnow/study/*/seed-0/results")
        for stage, file in (("subset", "subset.parquet"), ("train", "ledger.parquet"), ("evaluate", "predictions.parquet")):
            mine, theirs = (read_table(p / stage / n / file) for p, n in ((folder, trial), (finished_copy / "results", name)))
            # Its facts hold the hash of the model's weights, and with it every bit of them.
            assert mine[1] == theirs[1]
            assert mine[0].keys() == theirs[0].keys()


@pytest.mark.slow
def test_a_second_call_does_nothing_and_a_wider_one_only_what_is_new(studied, tmp_path, prefect_home):
    folder = Path(shutil.copytree(studied, tmp_path / "project", symlinks=True))
    before, begun = marks(folder), time.monotonic()
    table = (folder / "results/study/digits/study.csv").read_bytes()
    said = finish(start(folder, **prefect_home))
    assert time.monotonic() - begun < 60
    assert "nothing had changed" in said
    assert "mean rank" in said
    assert marks(folder) == before
    assert (folder / "results/study/digits/study.csv").read_bytes() == table
    write(folder, methods={"infobatch": "none", "swiftlearn": "two-epochs"}, fractions=[0.3, 0.5, 0.1], seeds=[0, 1])
    assert "6 of 26 trials to run" in finish(start(folder, **prefect_home))
    assert before.items() <= marks(folder).items()


@pytest.mark.slow
def test_stopped_and_killed_it_goes_on_and_ends_with_the_same_cells(studied, tmp_path, prefect_home):
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    folder = project(tmp_path / "project")
    for cells_before, number in ((3, signal.SIGTERM), (12, signal.SIGKILL)):
        process = start(folder, WINNOW_CHECKPOINT_SECONDS="0", **prefect_home)
        while len([m for m in marks(folder) if m.name.startswith("evaluate")]) < cells_before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        assert process.poll() is None, f"seed {seed}: too quick to be stopped"
        process.send_signal(number)
        said = finish(process, 130 if number == signal.SIGTERM else -number)
        assert "Traceback" not in said, f"seed {seed}"
        assert ("study: stopped; the next call goes on from here" in said) == (number == signal.SIGTERM), f"seed {seed}"
    said = finish(start(folder, **prefect_home))
    left = int(said.split("winnow study: ")[1].split(" of ")[0])
    assert 0 < left <= CELLS - 12, f"seed {seed}"
    assert found(folder) == found(studied), f"seed {seed}"


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


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Go to a project of a study that runs in this process, without Prefect."""

    def run_study(todo, work):
        failed = {}
        for seed, name in todo:
            try:
                work(seed, name)
            except UserError as error:
                failed[seed, name] = str(error)
        return failed

    folder = project(tmp_path / "project", seeds=[0], fractions=[0.3])
    monkeypatch.chdir(folder)
    monkeypatch.setattr("pipelines.study.tracking.publish", lambda study, written: None)
    monkeypatch.setattr("pipelines.flows.trials.run_study", run_study)
    return folder


@contextmanager
def failing(monkeypatch, name, reason):
    """Let the training of the trial ``name`` fail."""
    train = runner._train

    def fails(asked, root):
        if asked == name:
            raise UserError(reason)
        train(asked, root)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_train", fails)
        yield


@pytest.mark.slow
def test_a_cell_that_fails_is_told_of_and_the_others_are_compared(small, monkeypatch, capfd):
    with failing(monkeypatch, "swiftlearn-0.3", "the loss of id 3 is nan at step 4"):
        assert study_command.study() == 1
    said = capfd.readouterr().err
    assert "swiftlearn-0.3, seed 0: failed: the loss of id 3 is nan at step 4" in said
    written = json.loads((small / "results/study/digits/study.json").read_text())
    assert {r["cell"]: r["error"] for r in written["cells"] if r["error"]} == {
        "swiftlearn-0.3": "the loss of id 3 is nan at step 4"
    }
    assert written["summary"]["swiftlearn"]["mean"] is None
    assert {written["summary"][c]["ranked"] for c in ("full", "uniform", "short", "infobatch")} == {1}
    assert {c["deviation"] for c in written["summary"].values()} == {None}
    assert study_command.study() == 0
    assert "1 of 7 trials to run" in capfd.readouterr().err
    assert study_command.study() == 0


@pytest.mark.slow
def test_controls_have_the_cost_that_their_cell_had_and_none_before_it_has_run(small, monkeypatch, capfd):
    with failing(monkeypatch, "infobatch", "no"):
        assert study_command.study() == 1
    rows = {r["cell"]: r for r in read_json(small / "results/study/digits/study.json")["cells"]}
    why = "is a control at the cost of infobatch, which has no results for seed 0"
    waiting = {f"{c}-at-infobatch": f"{c}-at-infobatch {why}" for c in ("uniform", "short")}
    assert {n: r["error"].removeprefix(f"{n}: ") for n, r in rows.items() if r["error"]} == {"infobatch": "no", **waiting}
    assert {rows[n]["planned_cost_epochs"] for n in waiting} == {None}
    with monkeypatch.context() as patch:  # the rows of trials that were never planned are told too
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{small / 'mlflow.db'}")
        assert PUBLISH(*laid_out()) is not None
    assert study_command.study() == 0
    assert "3 of 7 trials to run" in capfd.readouterr().err
    rows = {r["cell"]: r for r in read_json(small / "results/study/digits/study.json")["cells"]}
    had = rows["infobatch"]
    assert had["cost_epochs"] == round(had["examples_trained"] / 1438, 4) != had["planned_cost_epochs"]
    assert rows["short-at-infobatch"]["planned_cost_epochs"] == had["cost_epochs"]
    for name in waiting:
        # Of 1,438 examples, a fraction of four digits, in six epochs.
        assert rows[name]["examples_trained"] == pytest.approx(had["examples_trained"], abs=6)


def laid_out():
    read = loader.load()
    return plan_files.lay_out(read, grid_of(read)), StudyTables.read(Path("results/study/digits/study.json"))


def test_without_its_data_a_study_says_what_is_wrong_with_them(small, monkeypatch):
    monkeypatch.setattr(study_command, "_one_server", nullcontext)
    read = yaml.safe_load((small / "params.yaml").read_text())
    read["tasks"]["bike-sharing"]["source"] = {"from": "files", "train": "data/none.csv"}
    (small / "params.yaml").write_text(yaml.safe_dump(read | {"task": "bike-sharing"}, sort_keys=False))
    with pytest.raises(UserError, match=r"^data/none\.csv: no such file$"):
        study_command.study()


@pytest.mark.slow
def test_without_full_there_are_metrics_and_no_times(small, monkeypatch):
    with failing(monkeypatch, "full", "no"):
        assert study_command.study() == 1
    written = json.loads((small / "results/study/digits/study.json").read_text())
    assert written["summary"]["swiftlearn"]["mean"] > 0.5
    assert {r["time_measured"] for r in written["cells"]} == {None}


def test_two_studies_at_once_are_one_too_many(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("task: x\n")
    monkeypatch.chdir(tmp_path)
    with alone("study"):
        process = start(tmp_path, PYTHONPATH=str(ROOT))
        assert f"study is already running in {Path.cwd()} (pid {os.getpid()})" in finish(process, 2)


def test_bad_input_is_one_line_and_exit_2(tmp_path):
    write(tmp_path, seeds=[])
    said = finish(start(tmp_path, PYTHONPATH=str(ROOT)), 2)
    assert said.startswith("winnow study: params.yaml: study: seeds: must name one or more")
    assert said.count("\n") == 1
    assert not (tmp_path / "results").exists()
