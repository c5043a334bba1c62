"""The walk through a graph of which some stages were run before, some run elsewhere, and some fail."""

import logging

import pytest

pytest.importorskip("prefect")

from pipelines.agents import scheduler
from pipelines.core.artifacts import read_json
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.tracking import comparison as tracking
from pipelines.tracking.agents import SENT, AgentResult
from pipelines.versioning import dvc_project, dvc_remote

LOG = logging.getLogger(__name__)
#: Two methods that share what they begin with.
NEEDS = {
    "plan": set(),
    "train@a": {"plan"},
    "train@b": {"plan"},
    "evaluate@a": {"train@a"},
    "evaluate@b": {"train@b"},
    "compare": {"evaluate@a", "evaluate@b"},
}


class Future:
    """A stage that runs until it is ended; ``_final_state`` and the callback are what Prefect's futures have."""

    def __init__(self):
        self._final_state, self._error, self._callbacks = None, None, []

    def add_done_callback(self, callback):
        self._callbacks.append(callback)

    def end(self, error=None):
        self._final_state, self._error = True, error
        for callback in self._callbacks:
            callback(self)

    def result(self):
        assert self._final_state, "nobody ended this stage"
        if self._error:
            raise self._error
        return AgentResult(agent="x", queued_seconds=0.0)


class Elsewhere:
    """Agents that end stages in an order of their own: those of ``ends``, each when the stages of its set have been sent."""

    def __init__(self, ends, errors=None, *, shares=True):
        self.sent, self.futures, self.ends, self.errors = [], {}, dict(ends), errors or {}
        self.results, self.shares = set(), shares

    def send(self, stage):
        self.sent.append(stage)
        self.futures[stage] = Future()
        for waiting, until in list(self.ends.items()):
            if waiting in self.futures and until <= set(self.sent):
                self._end(waiting)
        return self.futures[stage]

    def _end(self, stage):
        del self.ends[stage]
        if self.shares and stage not in self.errors:
            self.results.add(stage)
        self.futures[stage].end(self.errors.get(stage))


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Let a walk be over NEEDS, in a folder that is not the working directory; return what MLflow is told."""
    said = []
    monkeypatch.setattr(dvc_project, "stages", lambda root: list(NEEDS) if root == tmp_path else [])
    monkeypatch.setattr(dvc_project, "depends_on", lambda root: NEEDS)
    monkeypatch.setattr(dvc_remote, "learn_runs", lambda root: None)
    monkeypatch.setattr(dvc_remote, "address", lambda root: "/there")
    monkeypatch.setattr(tracking, "publish", lambda say, root: said.append("published"))
    monkeypatch.setattr(tracking, "fail", lambda stage, why, say, root: said.append(f"{stage}: {why}"))
    return said


@pytest.fixture
def restored(monkeypatch):
    """Let stages be restored that ran before or have ended elsewhere."""

    def those_of(elsewhere, *before):
        monkeypatch.setattr(dvc_remote, "restore", lambda stage, root: stage in before or stage in elsewhere.results)

    return those_of


def at_once(*stages):
    return {stage: {stage} for stage in stages}


def test_a_stage_waits_for_what_it_needs_and_for_nothing_else(told, restored, tmp_path):
    # The training of b ends only when a has been evaluated, for which it must not be waited.
    elsewhere = Elsewhere(at_once(*(NEEDS.keys() - {"train@b"})) | {"train@b": {"evaluate@a"}})
    restored(elsewhere)
    scheduler.walk(elsewhere.send, LOG, tmp_path)
    assert elsewhere.sent == ["plan", "train@a", "train@b", "evaluate@a", "evaluate@b", "compare"]
    assert told == ["published", "published"]
    assert read_json(tmp_path / SENT) == {stage: {"agent": "x", "queued_seconds": 0.0} for stage in NEEDS}


def test_what_was_run_before_is_not_sent(told, restored, tmp_path):
    elsewhere = Elsewhere(at_once("train@b", "evaluate@b", "compare"))
    restored(elsewhere, "plan", "train@a", "evaluate@a")
    scheduler.walk(elsewhere.send, LOG, tmp_path)
    assert elsewhere.sent == ["train@b", "evaluate@b", "compare"]


def test_nothing_is_sent_where_all_is_here(told, restored, tmp_path):
    elsewhere = Elsewhere({})
    restored(elsewhere, *NEEDS)
    scheduler.walk(elsewhere.send, LOG, tmp_path)
    assert elsewhere.sent == told == []


def test_a_stage_that_failed_ends_the_walk_when_the_others_have_ended(told, restored, tmp_path):
    errors = {"train@a": StageFailedError("train@a: no room"), "train@b": UserError("params.yaml: x")}
    elsewhere = Elsewhere(at_once("plan") | {"train@a": {"train@b"}, "train@b": {"train@a"}}, errors)
    restored(elsewhere)
    with pytest.raises((StageFailedError, UserError)):
        scheduler.walk(elsewhere.send, LOG, tmp_path)
    assert elsewhere.sent == ["plan", "train@a", "train@b"]
    assert sorted(told) == ["train@a: train@a: no room", "train@b: params.yaml: x"]


def test_a_cancelled_stage_is_not_told_as_failed(told, restored, tmp_path):
    elsewhere = Elsewhere(at_once("plan", "train@a", "train@b"), {"train@a": Stopped(), "train@b": Stopped()})
    restored(elsewhere)
    with pytest.raises(Stopped):
        scheduler.walk(elsewhere.send, LOG, tmp_path)
    assert told == []


def test_agents_that_share_no_remote_are_told_so(told, restored, tmp_path):
    elsewhere = Elsewhere(at_once("plan"), shares=False)
    restored(elsewhere)
    with pytest.raises(StageFailedError, match="plan: its results are not in the DVC remote /there; agents must share it"):
        scheduler.walk(elsewhere.send, LOG, tmp_path)
