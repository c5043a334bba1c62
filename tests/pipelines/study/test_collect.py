"""Gathering a shared study: what is missing, what failed, the tables."""

import pytest

from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.study import collect, worker


@pytest.mark.slow
def test_gathering_tells_what_is_missing_then_what_failed_and_of_a_whole_study_the_tables_at_once(
    machine, running, monkeypatch
):
    told = []
    monkeypatch.setattr(collect, "publish", lambda study, task, failed: told.append(failed) or {"cells": []})
    monkeypatch.setattr(collect, "publish_across_tasks", lambda read, file, asked, studies, written: len(told[-1]))
    machine("one")
    running()
    worker.part("digits@0")
    study = machine("main")
    assert collect.gather() == 0
    assert artifacts.read_json(artifacts.UNITS_MISSING) == [["digits", 1]]
    assert told == []
    artifacts.write_json(artifacts.UNITS_FAILED, {"digits@1": {"full": "nan", "": "digits seed 1: agent x sent no heartbeat"}})
    assert collect.gather(str(artifacts.UNITS_FAILED)) == 1
    assert told[0] == {
        (1, trial.name): "nan" if trial.name == "full" else "digits seed 1: agent x sent no heartbeat"
        for trial in study.grid.trials
    }
    machine("other")
    worker.part("digits@1")
    machine("last")
    assert collect.gather() == 0
    assert artifacts.read_json(artifacts.UNITS_MISSING) == []
    assert told[1] == {}


def test_where_nothing_was_handed_over_the_reason_is_that_of_the_study(machine):
    machine("main")
    artifacts.write_json(artifacts.UNITS_FAILED, {"digits@0": {"": "agent x: its packages differ"}})
    with pytest.raises(UserError, match=r"^agent x: its packages differ$"):
        collect.gather(str(artifacts.UNITS_FAILED))
    artifacts.write_json(artifacts.UNITS_FAILED, {})
    with pytest.raises(UserError, match="no result in the DVC remote; check that all agents use the same WINNOW_DVC_REMOTE"):
        collect.gather(str(artifacts.UNITS_FAILED))
