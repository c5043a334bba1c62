"""MLflow is told an advice as a run, and each trial as its child, once."""

import pytest

from pipelines.advise import tracking
from pipelines.core.artifacts import ADVICE
from tests.pipelines.advise.advices import advice, balance
from tests.pipelines.told_runs import Told

TRIALS = ["full on 0.5 seed 0", "a on 1 seed 0", "c on 1 seed 1"]


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Go to a folder with an advice; return what MLflow was told of it."""
    monkeypatch.chdir(tmp_path)
    advice().write(ADVICE / "digits" / "advice.json")
    found = Told()
    monkeypatch.setattr(tracking, "with_tracker", lambda work: work(found.tracker))
    return found


def test_an_advice_is_a_run_and_each_trial_its_child(told):
    run_id = tracking.publish(advice())
    parent, *children = told.runs.values()
    assert (parent.info.run_id, parent.info.run_name, parent.info.status) == (run_id, "digits advice", "FINISHED")
    assert parent.data.tags["advice"] == "a (accuracy 0.9100)"
    assert parent.data.metrics == {"advice_cpu_seconds": 42.0, "advice_energy_kwh": 0.3, "advice_saving": 4.0}
    assert [run.info.run_name for run in children] == TRIALS
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {run_id}
    one, failed = children[1:]
    assert one.data.metrics == {"planned_cost_epochs": 2.0, "cost_epochs": 2.5, "accuracy": 0.9, "cpu_seconds": 3.0}
    assert one.data.params == {"cell": "a", "role": "method", "method": "a", "seed": "0", "share": "1.0"}
    assert (failed.info.status, failed.data.tags["winnow.failed"]) == ("FAILED", "the loss is nan")


def test_an_advice_is_told_again_only_where_it_was_not_told_whole(told):
    run_id = tracking.publish(advice())
    before = list(told.runs)
    # What was spent now is another number at each call.
    assert tracking.publish(advice(balance=balance(11, now=0.0))) == run_id
    assert list(told.runs) == before
    del told.named("digits advice").data.tags["winnow.complete"]
    again = tracking.publish(advice())
    assert again != run_id
    assert [run.info.run_name for run in told.runs.values()] == ["digits advice", *TRIALS]
    assert not set(before) & set(told.runs)
