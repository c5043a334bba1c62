"""The automation that ends lost comparisons, by Prefect's own reading of it."""

import pytest

pytest.importorskip("prefect")

from prefect.events.schemas.automations import AutomationCore

from pipelines.agents import comparison_flow, prefect_client, study_flow
from pipelines.services import automations, worker


def test_prefect_reads_the_automation_as_it_is_meant():
    read = AutomationCore.model_validate(automations.lost_comparisons(120))
    assert read.trigger.within.total_seconds() == 120
    assert automations.BEAT in read.trigger.after & read.trigger.expect
    assert [str(a.state) for a in read.actions] == ["StateType.CRASHED"]
    assert "no heartbeat from its agent for 120 s" in read.actions[0].message
    assert set(automations.FLOWS) == {comparison_flow.winnow.name, study_flow.study.name}


def test_a_server_that_is_waited_for_makes_no_run_a_lost_one():
    assert automations.SILENCE_SECONDS >= prefect_client.PATIENCE_SECONDS + 2 * automations.BEAT_SECONDS
    assert worker.SETTINGS["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(automations.BEAT_SECONDS)
