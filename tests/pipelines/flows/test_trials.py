"""Cells of a study run one after another, whatever becomes of the others."""

import threading

import pytest

pytest.importorskip("prefect")

from prefect.states import Completed, Failed

from pipelines.core.errors import Stopped, UserError
from pipelines.flows import trials


def raising(error):
    def work(seed, name):
        raise error

    return work


def test_the_end_of_a_cell_says_whether_it_may_be_tried_again(capsys):
    done = []
    assert trials.run_trial.fn(3, "full", lambda seed, name: done.append((seed, name))) is None
    assert done == [(3, "full")]
    bad = trials.run_trial.fn(0, "full", raising(UserError("params.yaml: seed")))
    assert (bad.is_failed(), bad.message) == (True, "params.yaml: seed")
    assert trials.run_trial.fn(0, "full", raising(Stopped())).is_cancelled()
    with pytest.raises(ValueError, match="nan"):
        trials.run_trial.fn(0, "full", raising(ValueError("nan")))
    assert "ValueError: nan" in capsys.readouterr().err


@pytest.fixture
def study(monkeypatch):
    """Run trials that end as they are told; return the study's state, why trials failed, and which were run."""
    monkeypatch.setattr(trials, "STOP", threading.Event())
    monkeypatch.setattr(trials, "handle_signals", lambda: None)

    def run(ends):
        ran, failed = [], {}

        def run_trial(seed, name, work, return_state):
            ran.append((seed, name))
            return ends[seed, name]()

        monkeypatch.setattr(trials, "run_trial", run_trial)
        return trials.study.fn(list(ends), None, failed), failed, ran

    return run


def test_a_cell_that_fails_keeps_no_other_from_running(study):
    lost = "Task run encountered an exception ValueError: nan"
    state, failed, ran = study({(0, "full"): Completed, (0, "short"): lambda: Failed(message=lost), (1, "full"): Completed})
    assert ran == [(0, "full"), (0, "short"), (1, "full")]
    assert failed == {(0, "short"): "ValueError: nan"}
    assert (state.is_failed(), state.message) == (True, "1 of 3 trials failed")
    assert study({(0, "full"): Completed})[0].is_completed()


def test_a_study_that_was_asked_to_end_begins_no_other_cell(study):
    def stopped():
        trials.STOP.set()
        return Completed()

    state, failed, ran = study({(0, "full"): stopped, (0, "short"): Completed})
    assert (state.is_cancelled(), failed, ran) == (True, {}, [(0, "full")])
