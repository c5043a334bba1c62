"""MLflow has the studies of several tasks under one run, with the gains."""

from pathlib import Path

import pytest

from pipelines.core.artifacts import write_json
from pipelines.study import tracking_by_regime
from pipelines.study.across_tasks import RegimeRow
from pipelines.study.tasks import together
from pipelines.study.tracking import key_of
from pipelines.trials.study_folder import StudyFolder
from tests.pipelines.study_rows import method_row
from tests.pipelines.told_runs import Told

FILE, PARENT = Path("params.yaml"), tracking_by_regime.PARENT
PLACES = {task: StudyFolder(Path(f"study/{task}"), None, (0,)) for task in ("digits", "noisy")}


def row(task, gain):
    best = None if gain is None else method_row(method="a", gain_over_best_control=gain)
    return RegimeRow(task, "digits", "{}", "accuracy", 0.95, "a", 1, None, best)


ROWS = [row("digits", 0.02), row("noisy", None)]


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Go to a folder with the tables of two tasks, whose studies' runs are there."""
    monkeypatch.chdir(tmp_path)
    write_json(together(FILE) / "regimes.json", [])
    found = Told()
    for task, study in PLACES.items():
        found.create_run("0", f"{task} study", {"winnow.key": key_of(study)})
    monkeypatch.setattr(tracking_by_regime, "with_tracker", lambda work: work(found.tracker))
    return found


def test_the_studies_stand_under_one_run_with_the_gains_that_are_known(told):
    run_id = tracking_by_regime.publish(FILE, PLACES, ROWS)
    parent = told.runs[run_id]
    assert (parent.info.run_name, parent.info.status) == ("study of params.yaml", "FINISHED")
    assert parent.data.metrics == {"gain/digits/a": 0.02}
    assert parent.data.tags["tasks"] == "digits, noisy"
    assert {told.named(f"{task} study").data.tags[PARENT] for task in PLACES} == {run_id}


def test_rows_are_told_once_and_a_task_that_left_stands_alone(told):
    run_id = tracking_by_regime.publish(FILE, PLACES, ROWS)
    assert tracking_by_regime.publish(FILE, PLACES, ROWS) == run_id
    assert told.artifacts == [(run_id, "results/study/regimes/params", "study")]
    assert tracking_by_regime.publish(FILE, {"digits": PLACES["digits"]}, [row("digits", 0.03)]) == run_id
    assert told.runs[run_id].data.metrics == {"gain/digits/a": 0.03}
    assert told.named("digits study").data.tags[PARENT] == run_id
    assert PARENT not in told.named("noisy study").data.tags
    assert len(told.runs) == 3
