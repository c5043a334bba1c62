"""A study as agents run it: what is sent, told of, and how it ends."""

import json
import logging
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("prefect")


from pipelines.agents import study_flow
from pipelines.agents import submit as agents_submit
from pipelines.core import artifacts
from pipelines.core import command as core_command
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.tracking.agents import AgentResult
from pipelines.versioning import git_worktree

LOG = logging.getLogger(__name__)
REVISION = 40 * "a"


class Future:
    """A unit that has ended."""

    def __init__(self, end):
        self._end = end

    def result(self):
        if isinstance(self._end, Exception):
            raise self._end
        return AgentResult(agent="x", queued_seconds=0.0, **self._end)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Give a study's flow a worktree; return how to run it where ``missing`` units end as told, and what was done."""
    done = SimpleNamespace(sent=[], commands=[], failed=None)

    def run(missing, gathers=0):
        def submit(what, deployment, parameters):
            unit = (parameters["task"], parameters["seed"])
            done.sent.append((what, deployment, parameters))
            return Future(missing[unit])

        def call(root, log, command, *arguments):
            done.commands.append(command)
            artifacts.write_json(root / artifacts.UNITS_MISSING, list(missing))
            if arguments:
                done.failed = artifacts.read_json(root / artifacts.UNITS_FAILED)
            return gathers if arguments else 0

        monkeypatch.setattr(study_flow, "send", SimpleNamespace(submit=submit))
        monkeypatch.setattr(study_flow, "_call", call)
        return study_flow.study.fn(revision=REVISION, params="text")

    pools = SimpleNamespace(pools=SimpleNamespace(of=lambda stage: {"train": "gpu-pool"}[stage]))
    there = git_worktree.Checkout(tmp_path, pools)
    monkeypatch.setattr(git_worktree, "worktree", lambda revision, params: nullcontext(there))
    monkeypatch.setattr(study_flow, "get_run_logger", lambda: LOG)
    return run, done


def test_what_is_missing_is_sent_to_the_pool_of_train_and_the_rest_told(asked):
    run, done = asked
    assert run({("digits", 0): {}, ("noise", 3): {}}) is None
    parameters = {"revision": REVISION, "params": "text"}
    assert done.sent == [
        ("digits seed 0", "winnow-cells/gpu-pool", parameters | {"task": "digits", "seed": 0}),
        ("noise seed 3", "winnow-cells/gpu-pool", parameters | {"task": "noise", "seed": 3}),
    ]
    assert done.commands == ["study.collect"] * 2
    assert done.failed == {}


def test_of_a_finished_study_nothing_is_sent(asked):
    run, done = asked
    assert run({}) is None
    assert (done.sent, done.commands) == ([], ["study.collect"])


def test_cells_that_failed_are_told_of_beside_the_others_and_the_study_fails(asked):
    run, done = asked
    ends = {
        ("digits", 0): {"failed": {"full": "nan"}},
        ("digits", 1): {},
        ("digits", 2): StageFailedError("digits seed 2: lost"),
    }
    ended = run(ends | {("digits", 3): UserError("agent gpu-1: its packages differ")}, gathers=core_command.FAILED)
    assert (ended.name, ended.message) == (
        "Failed",
        "study: trials failed; see the table of trials in MLflow; digits@0: full: nan",
    )
    told = {"digits@0": {"full": "nan"}, "digits@2": {"": "digits seed 2: lost"}}
    assert done.failed == told | {"digits@3": {"": "agent gpu-1: its packages differ"}}


def test_one_that_was_cancelled_ends_the_study_so_when_the_others_have_ended(asked):
    run, done = asked
    ended = run({("digits", 0): Stopped(), ("digits", 1): {}})
    assert ended.is_cancelled()
    assert (len(done.sent), done.failed) == (2, None)


@pytest.fixture
def called(tmp_path, monkeypatch):
    """Make a revision that has a command; let it end so, and return what ``_call`` makes of it."""
    (tmp_path / "pipelines/study").mkdir(parents=True)
    (tmp_path / "pipelines/study/worker.py").touch()

    def call(code, said=None):
        def ends(*command, said=None, root):
            assert (root, command[1:]) == (tmp_path, ("-m", "pipelines.study.worker", "digits@0"))
            return code

        failures = tmp_path / core_command.FAILURES
        failures.mkdir(parents=True, exist_ok=True)
        if said:
            (failures / "study.worker@digits@0").write_text(json.dumps(said))
        monkeypatch.setattr(study_flow.subprocesses, "call", ends)
        return study_flow._call(tmp_path, LOG, "study.worker", "digits@0")

    return call


ENDS = {
    "bad input": (2, {"code": 2, "message": "no such task"}, UserError, "study.worker: no such task"),
    "an error": (1, {"code": 1, "message": "failed: KeyError: 3"}, StageFailedError, "study.worker: failed: KeyError: 3"),
    "asked to end": (130, {"code": 130, "message": "stopped"}, Stopped, ""),
    "killed": (-9, None, StageFailedError, "study.worker: exited with -9"),
}


@pytest.mark.parametrize(("code", "said", "error", "text"), ENDS.values(), ids=ENDS)
def test_a_commands_end_is_that_of_the_run(called, code, said, error, text):
    with pytest.raises(error) as caught:
        called(code, said)
    assert str(caught.value) == text


def test_a_command_may_end_in_part_and_an_old_revision_has_none(called, tmp_path):
    assert (called(0), called(1)) == (0, 1)
    (tmp_path / "pipelines/study/worker.py").unlink()
    with pytest.raises(UserError, match=r"^revision: has no pipelines/study/worker\.py, which agents need to run its studies"):
        called(0)


def test_a_run_of_cells_says_which_failed_and_why_without_passwords(tmp_path, monkeypatch):
    stood, failures = [], tmp_path / artifacts.unit_failures("digits@0")

    @contextmanager
    def kept(name, revision, params):
        stood.append(name)
        yield git_worktree.Checkout(tmp_path, None)

    monkeypatch.setattr(study_flow, "at_work", lambda *asked: nullcontext())
    monkeypatch.setattr(study_flow, "get_run_logger", lambda: LOG)
    monkeypatch.setattr(study_flow, "flow_run", SimpleNamespace(id=str(uuid4())))
    monkeypatch.setattr(study_flow.work_lock, "claimed", lambda work, run, log: nullcontext())
    monkeypatch.setattr(git_worktree, "kept", kept)
    ends = iter([0, 1, 1])
    monkeypatch.setattr(study_flow, "_call", lambda root, log, command, unit: next(ends))
    asked = {"revision": REVISION, "task": "digits", "seed": 0}
    assert study_flow.run_cells.fn(**asked) is None
    artifacts.write_json(failures, {"full": "no s3://me:secret@host/x " + "x" * 900})
    ended = study_flow.run_cells.fn(**asked)
    (reason,) = json.loads(ended.message).values()
    assert (ended.name, ended.is_failed()) == (agents_submit.IN_PART, True)
    assert reason.startswith("no s3://host/x xxx")
    assert len(reason) == study_flow.REASON
    artifacts.write_json(failures, {f"cell-{i}": "nan" for i in range(1000)})
    ended = study_flow.run_cells.fn(**asked)
    assert len(json.loads(ended.message)) == study_flow.REASONS + 1
    # The same work is gone on with in the same worktree, another's in another.
    monkeypatch.setattr(study_flow, "_call", lambda root, log, command, unit: 0)
    study_flow.run_cells.fn(**asked | {"seed": 1})
    assert len(set(stood[:3])) == 1
    assert len(set(stood)) == 2


def test_an_older_revision_is_called_by_the_names_that_it_has(tmp_path):
    (tmp_path / "pipelines").mkdir()
    for name, old in study_flow.OLD_NAMES.items():
        (tmp_path / "pipelines" / f"{old}.py").touch()
        assert study_flow._named_in(tmp_path, name) == old
