"""The main job, end to end: killed, failed, refused, and started twice."""

import os
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.pipelines.end_to_end.flow_runs import change, hashes, stages_at_work, start_flow, wait

pytestmark = pytest.mark.slow


def test_a_killed_flow_leaves_no_orphan_and_the_next_one_goes_on(copy_of_finished, finished_copy, prefect_home, run_in):
    change(copy_of_finished, tasks__digits__training__epochs=400)
    # Some shells stay between dvc and a stage, and know nothing of dvc's end: Debian's sh is one.
    process = start_flow(copy_of_finished, prefect_home, WINNOW_CHECKPOINT_SECONDS="0", SHELL="/bin/sh")
    checkpoints = copy_of_finished / ".winnow" / "checkpoints"
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("train.full.*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert any("pipelines.train full" in line for line in stages_at_work(copy_of_finished))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while stages_at_work(copy_of_finished) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert stages_at_work(copy_of_finished) == []
    change(copy_of_finished, tasks__digits__training__epochs=6)
    wait(start_flow(copy_of_finished, prefect_home))
    assert hashes(copy_of_finished) == hashes(finished_copy)


def test_a_killed_stage_is_tried_again_and_goes_on(copy_of_finished, finished_copy, prefect_home, run_in):
    for name in ("dvc.lock", "results", ".winnow", ".dvc/cache", ".dvc/tmp"):
        run_in(copy_of_finished, "rm", "-rf", name)
    process = start_flow(copy_of_finished, prefect_home, WINNOW_CHECKPOINT_SECONDS="0")
    checkpoints = copy_of_finished / ".winnow" / "checkpoints"
    while not list(checkpoints.glob("train.full.*")) and process.poll() is None:
        time.sleep(0.005)
    pid = int((copy_of_finished / ".winnow/locks/train@full").read_text())
    os.kill(pid, signal.SIGKILL)
    wait(process)
    assert hashes(copy_of_finished) == hashes(finished_copy)


BAD = {
    "a name": ({"task": "digit"}, "params.yaml: task: 'digit': no such task, did you mean 'digits'?"),
    "an argument": ({"methods__swiftlearn__fraction": 3}, "params.yaml: methods.swiftlearn: fraction must be in (0, 1], got 3"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_ends_the_flow_before_anything_runs(copy_of_finished, prefect_home, changes, text):
    change(copy_of_finished, **changes)
    said = wait(start_flow(copy_of_finished, prefect_home), code=2)
    assert said.startswith(f"winnow: {text}")
    assert len(said.splitlines()) == 1
    assert (copy_of_finished / "results/plan/task.json").exists()


def test_a_stage_that_fails_fails_the_flow_by_its_own_words(copy_of_finished, prefect_home):
    change(copy_of_finished, tasks__digits__training__optimizer__learning_rate=1e30)
    said = wait(start_flow(copy_of_finished, prefect_home), code=2)
    assert "the loss of id " in said
    assert "Traceback" not in said
    assert not [p for p in (copy_of_finished / "results").rglob(".*")], "something was left half-written"
    assert not list((copy_of_finished / "results/warm_up/two-epochs").glob("*.*"))
    with closing(sqlite3.connect(copy_of_finished / "mlflow.db")) as runs:
        assert ("FAILED",) in runs.execute("SELECT status FROM runs").fetchall()
    with closing(sqlite3.connect(Path(prefect_home["PREFECT_HOME"]) / "prefect.db")) as flows:
        last = "SELECT state_type FROM flow_run ORDER BY created DESC LIMIT 1"
        assert flows.execute(last).fetchall() == [("FAILED",)]


def test_two_flows_at_once_are_one_too_many(copy_of_finished, prefect_home):
    change(copy_of_finished, tasks__digits__training__epochs=400)
    first = start_flow(copy_of_finished, prefect_home)
    held = copy_of_finished / ".winnow/locks/flow"
    while first.poll() is None and not (held.exists() and held.read_text() == str(first.pid)):
        time.sleep(0.05)
    said = wait(start_flow(copy_of_finished, prefect_home), code=2)
    assert re.search(rf"flow is already running in .* \(pid {first.pid}\)", said)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=120)
    assert stages_at_work(copy_of_finished) == []
