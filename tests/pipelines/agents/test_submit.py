"""What the end of a run tells another agent, and becomes there."""

import json
from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("prefect")

from prefect.states import Cancelled, Completed, Failed

from pipelines.agents import submit
from pipelines.core.errors import StageFailedError, Stopped, UserError


def run_of(state):
    return SimpleNamespace(state=state, id=uuid4())


def test_the_end_of_what_was_sent_is_an_error_or_the_reasons_of_a_part():
    assert submit._check("x", run_of(Completed())) == {}
    in_part = Failed(name=submit.IN_PART, message=json.dumps({"full": "nan"}))
    assert submit._check("x", run_of(in_part)) == {"full": "nan"}
    for state, error, text in (
        (Failed(name=submit.BAD_INPUT, message="params.yaml: x"), UserError, "params.yaml: x"),
        (Failed(message="x: no room"), StageFailedError, "x: no room"),
        (Cancelled(message="stopped"), Stopped, ""),
    ):
        with pytest.raises(error) as caught:
            submit._check("x", run_of(state))
        assert str(caught.value) == text


def test_a_run_that_ends_badly_says_why_without_a_password():
    told = submit.state_of(UserError("params.yaml: task: no such task"))
    assert (told.name, told.message, told.is_failed()) == (submit.BAD_INPUT, "params.yaml: task: no such task", True)
    told = submit.state_of(StageFailedError("git fetch: https://me:secret@host/x"))
    assert (told.name, told.message) == ("Failed", "git fetch: https://host/x")
    assert submit.state_of(Stopped()).is_cancelled()
