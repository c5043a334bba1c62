"""A comparison runs what is stale and what depends on it, and tells of failures."""

import pytest

pytest.importorskip("prefect")

from pipelines.core.errors import AwayError, StageFailedError
from pipelines.flows import comparison

NEEDS = {
    "plan": set(),
    "prepare": {"plan"},
    "train@full": {"prepare"},
    "train@short": {"prepare"},
    "evaluate@full": {"train@full"},
    "evaluate@short": {"train@short"},
    "compare": {"evaluate@full", "evaluate@short"},
}


@pytest.fixture
def flow(monkeypatch):
    """Run the flow where stages are stale as told; return its result, and what was run and told in order."""
    done = []

    def run(stale, run_stage=lambda stage, shared: done.append(stage)):
        looks = iter(stale)
        monkeypatch.setattr(comparison.dvc_remote, "address", lambda: None)
        monkeypatch.setattr(comparison.dvc_project, "stale", lambda: next(looks))
        monkeypatch.setattr(comparison.dvc_project, "depends_on", lambda: NEEDS)
        monkeypatch.setattr(comparison.dvc_project, "stages", lambda: list(NEEDS))
        monkeypatch.setattr(comparison.tracking, "publish", lambda: done.append("publish"))
        monkeypatch.setattr(comparison.tracking, "fail", lambda stage, why: done.append((stage, why)))
        monkeypatch.setattr(comparison, "run_stage", run_stage)
        return comparison.winnow.fn(), done

    run.done = done
    return run


def test_what_depends_on_a_stale_stage_runs_after_it_and_nothing_else(flow):
    ran, done = flow([{"train@short"}, {"train@short"}])
    assert ran == ["train@short", "evaluate@short", "compare"]
    assert done == ["train@short", "evaluate@short", "publish", "compare"]


def test_a_stale_plan_is_made_before_it_is_asked_what_else_is_stale(flow):
    assert flow([{"plan", "train@full"}, set()]) == ([], ["plan"])


def test_a_stage_that_fails_for_good_is_told_of_and_ends_the_flow(flow):
    def fail(stage, shared):
        raise StageFailedError(f"{stage}: boom")

    with pytest.raises(StageFailedError, match="train@full: boom"):
        flow([{"train@full"}, {"train@full"}], fail)
    assert flow.done == [("train@full", "train@full: boom")]


def test_a_result_that_cannot_be_shared_is_a_failure_that_says_how_to_send_it(monkeypatch):
    done = []

    def push(stage):
        raise AwayError("the remote is away")

    monkeypatch.setattr(comparison.dvc_project, "reproduce", lambda stage, pull: done.append((stage, pull)))
    monkeypatch.setattr(comparison.dvc_remote, "push", push)
    comparison.run_stage.fn("train@full", False)
    with pytest.raises(StageFailedError, match=r"^the remote is away; run 'dvc push --run-cache train@full' later$"):
        comparison.run_stage.fn("train@full", True)
    assert done == [("train@full", False), ("train@full", True)]
