"""What surrounds every stage: names, exit codes and what is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core import command, signals
from tests.conftest import ROOT


@pytest.fixture
def call(tmp_path):
    """Run a stage's command in an empty folder."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_bad_input_is_one_line_and_exit_2(call, tmp_path):
    (tmp_path / "params.yaml").write_text("task: x\n")
    done = call("pipelines.plan")
    assert done.returncode == 2
    assert "params.yaml: seed: Field required" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["../../etc", "$(touch x)", "a b", "full"])
def test_a_name_that_is_not_planned_goes_nowhere(call, tmp_path, name):
    done = call("pipelines.train", name)
    assert done.returncode == 2
    assert "no such name" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} <= {".winnow"}
    assert all(p.is_relative_to(tmp_path) for p in tmp_path.rglob("*"))


def test_the_number_of_names_is_checked(call):
    assert "takes 1 name, got 0" in call("pipelines.train").stderr
    assert "takes 0 names, got 1" in call("pipelines.plan", "x").stderr


def test_a_failure_is_kept_for_the_flow(tmp_path, call):
    call("pipelines.train", "none-such")
    failure = command.failure_of("train@none-such", tmp_path)
    assert failure.code == command.BAD_INPUT
    assert "none-such" in failure.message
    assert command.failure_of("train@other", tmp_path) is None


def test_a_folder_that_cannot_be_written_to_is_named_before_anything_runs(call, tmp_path):
    (tmp_path / "params.yaml").write_text("task: x\n")
    (tmp_path / ".winnow").write_text("a file where a folder should be, as in a folder that is read-only")
    done = call("pipelines.plan")
    assert done.returncode == 2
    assert done.stderr.startswith("winnow plan: .winnow/locks/plan: cannot be written: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_a_crash_is_said_and_raised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pipelines.plan"])
    monkeypatch.setattr(signals, "die_with_parent", lambda: None)
    monkeypatch.setattr(signals, "handle_signals", lambda: None)

    def work():
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        command.main("plan", work)
    assert json.loads(Path(".winnow/failures/plan").read_text()) == {"code": 1, "message": "failed: RuntimeError: boom"}
