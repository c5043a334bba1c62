"""A study of which a trial fails, or whose data are not there."""

import json
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import yaml

from pipelines.config import loader
from pipelines.core.artifacts import read_json
from pipelines.core.errors import UserError
from pipelines.study import command as study_command
from pipelines.study import tracking
from pipelines.trials import plan_files, runner
from pipelines.trials.grid import grid_of
from pipelines.trials.study_tables import StudyTables
from tests.pipelines.study.digits import project

PUBLISH = tracking.publish


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
