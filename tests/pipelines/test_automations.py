"""The automation that ends lost comparisons, by Prefect's own reading of it."""

import pytest

pytest.importorskip("prefect")

from prefect.events.schemas.automations import AutomationCore

from pipelines import agent, automations, dispatch, dispatch_study, patience


def test_prefect_reads_the_automation_as_it_is_meant():
    read = AutomationCore.model_validate(automations.lost_comparisons(120))
    assert read.trigger.within.total_seconds() == 120
    assert automations.BEAT in read.trigger.after & read.trigger.expect
    assert [str(a.state) for a in read.actions] == ["StateType.CRASHED"]
    assert "not heard of for 120 s" in read.actions[0].message
    assert set(automations.FLOWS) == {dispatch.winnow.name, dispatch_study.study.name}


def test_a_server_that_is_waited_for_makes_no_run_a_lost_one():
    assert automations.SILENCE_SECONDS >= patience.PATIENCE_SECONDS + 2 * automations.BEAT_SECONDS
    assert agent.SETTINGS["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(automations.BEAT_SECONDS)
