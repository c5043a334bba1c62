"""A comparison runs what is stale and what depends on it, and tells of failures."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

pytest.importorskip("prefect")

from pipelines.core.errors import AwayError, StageFailedError, Stopped, UserError
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


class Work:
    """Stands for the task of one stage: runs ``run`` in threads, as Prefect does, and keeps the names of those that ended."""

    def __init__(self, run):
        self.run, self.by_lines, self.pool = run, set(), ThreadPoolExecutor(8)

    def submit(self, stage, shared, by_lines):
        if by_lines:
            self.by_lines.add(stage)
        return self.pool.submit(self.run, stage)


@pytest.fixture
def flow(monkeypatch):
    """Run the flow where stages are stale as told; return its result, and what was run and told in order."""
    done = []

    def run(stale, stage=done.append, at_once=1):
        looks = iter(stale)
        run.work = Work(stage)
        monkeypatch.setattr(comparison.dvc_remote, "address", lambda: None)
        monkeypatch.setattr(comparison.dvc_project, "stale", lambda: next(looks))
        monkeypatch.setattr(comparison.dvc_project, "depends_on", lambda: NEEDS)
        monkeypatch.setattr(comparison.dvc_project, "stages", lambda: list(NEEDS))
        monkeypatch.setattr(comparison.tracking, "publish", lambda: done.append("publish"))
        monkeypatch.setattr(comparison.tracking, "fail", lambda stage, why: done.append((stage, why)))
        monkeypatch.setattr(comparison, "run_stage", run.work)
        monkeypatch.setattr(comparison, "as_completed", as_completed)
        with run.work.pool:
            return comparison.winnow.fn(at_once), done

    run.done = done
    return run


def test_what_depends_on_a_stale_stage_runs_after_it_and_nothing_else(flow):
    ran, done = flow([{"train@short"}, {"train@short"}])
    assert ran == ["train@short", "evaluate@short", "compare"]
    assert done == ["train@short", "evaluate@short", "publish", "compare"]


def test_a_stale_plan_is_made_before_it_is_asked_what_else_is_stale(flow):
    assert flow([{"plan", "train@full"}, set()]) == ([], ["plan"])


def test_one_at_a_time_keeps_the_order_of_dvc_and_every_stage_has_the_terminal(flow):
    assert flow([set(NEEDS) - {"plan"}] * 2)[0] == [stage for stage in NEEDS if stage != "plan"]
    assert not flow.work.by_lines


def test_stages_that_do_not_depend_on_each_other_run_at_once(flow):
    both = threading.Barrier(2, timeout=30)
    done = flow.done

    def stage(name):
        if name.startswith("train@"):
            both.wait()
        done.append(name)

    ran, _ = flow([{"prepare"}, {"prepare"}], stage, at_once=2)
    assert (ran[0], ran[-1], len(ran)) == ("prepare", "compare", len(NEEDS) - 1)
    assert all(ran.index(f"train@{name}") < ran.index(f"evaluate@{name}") for name in ("full", "short"))
    assert flow.work.by_lines == {"train@full", "train@short", "evaluate@full", "evaluate@short"}


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (2, 2), (9, 2)])
def test_no_more_run_at_once_than_told(flow, at_once, most):
    running, seen, lock = set(), [], threading.Lock()

    def stage(name):
        with lock:
            running.add(name)
            seen.append(len(running))
        threading.Event().wait(0.02)
        running.discard(name)

    flow([{"prepare"}, {"prepare"}], stage, at_once)
    assert max(seen) == most


def test_a_stage_that_fails_for_good_is_told_of_and_ends_the_flow(flow):
    def fail(stage):
        raise StageFailedError(f"{stage}: boom")

    with pytest.raises(StageFailedError, match="train@full: boom"):
        flow([{"train@full"}, {"train@full"}], fail)
    assert flow.done == [("train@full", "train@full: boom")]


def test_what_runs_when_a_stage_fails_is_ended_and_nothing_more_begun(flow):
    both = threading.Barrier(2, timeout=30)
    done = flow.done

    def stage(name):
        if name.startswith("train@"):
            both.wait()
        if name == "train@full":
            raise UserError("bad input")
        threading.Event().wait(0.1)
        done.append(name)

    with pytest.raises(UserError, match="bad input"):
        flow([{"prepare"}, {"prepare"}], stage, at_once=2)
    assert done == ["prepare", ("train@full", "bad input"), "train@short"]


def test_a_result_that_cannot_be_shared_is_a_failure_that_says_how_to_send_it(monkeypatch):
    done = []

    def push(stage):
        raise AwayError("the remote is away")

    monkeypatch.setattr(comparison.dvc_project, "reproduce", lambda stage, pull, said: done.append((stage, pull)))
    monkeypatch.setattr(comparison.dvc_remote, "push", push)
    comparison.run_stage.fn("train@full", False, by_lines=False)
    with pytest.raises(StageFailedError, match=r"^the remote is away; run 'dvc push --run-cache train@full' later$"):
        comparison.run_stage.fn("train@full", True, by_lines=False)
    assert done == [("train@full", False), ("train@full", True)]


def test_lines_of_a_stage_go_to_stderr_and_a_stop_is_one(monkeypatch, capsys):
    def reproduce(stage, pull, said):
        said("train full: epoch 1")
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison.dvc_project, "reproduce", reproduce)
    with pytest.raises(Stopped):
        comparison.run_stage.fn("train@full", False, by_lines=True)
    assert capsys.readouterr() == ("", "train full: epoch 1\n")
