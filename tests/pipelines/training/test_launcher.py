"""A stage in two processes: killed, stopped, gone on with, and refused where it cannot be."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from pipelines.core import artifacts
from pipelines.core.errors import RankError, Stopped, UserError
from pipelines.core.signals import STOP
from pipelines.plan import plan
from pipelines.training import launcher
from tests.conftest import ROOT, defaults

TRAINED = ("model/model.safetensors", "ledger.parquet", "history.json")


def start(folder, *arguments, seconds="60", **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WINNOW_CHECKPOINT_SECONDS": seconds, **more}
    command, pipe = [sys.executable, "-m", *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def finish(process, code=0):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def outputs(folder, stage, name, files):
    return {file: (folder / "results" / stage / name / file).read_bytes() for file in files}


def planned(folder, **changes):
    """Plan and prepare a comparison of SwiftLearn on digits with two devices."""
    params = defaults()
    params |= {"task": "digits", "compare": {"full": "none", "swiftlearn": "two-epochs"}}
    params["methods"]["swiftlearn"] = {"fraction": 0.5, "refresh": 2}
    params["tasks"]["digits"]["training"] |= {"devices": 2}
    params["tasks"]["digits"]["model"] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for stage in ("plan", "prepare"):
        finish(start(folder, f"pipelines.{stage}"))
    return folder


@pytest.fixture(scope="module")
def warmed_up(tmp_path_factory):
    folder = planned(tmp_path_factory.mktemp("ranks"))
    finish(start(folder, "pipelines.warm_up", "two-epochs"))
    finish(start(folder, "pipelines.subset", "swiftlearn"))
    return folder


@pytest.fixture(scope="module")
def undisturbed(warmed_up):
    """What a training of two ranks leaves that nobody has disturbed."""
    finish(start(warmed_up, "pipelines.train", "swiftlearn"))
    return outputs(warmed_up, "train", "swiftlearn", TRAINED)


def saved_once(folder, process, name):
    """Wait until the stage has saved itself again, and return its ranks."""
    before = time.time_ns()
    saved = folder / ".winnow" / "checkpoints"
    while process.poll() is None and not any(p.stat().st_mtime_ns > before for p in saved.glob(name)):
        time.sleep(0.01)
    found = psutil.Process(process.pid).children()
    assert len(found) == 2, process.communicate()[0]
    return found


def none_left(found):
    _, alive = psutil.wait_procs(found, timeout=10)
    return not alive


@pytest.mark.slow
def test_a_killed_rank_ends_the_stage_and_the_next_call_goes_on(warmed_up, undisturbed):
    process = start(warmed_up, "pipelines.train", "swiftlearn", seconds="0")
    found = saved_once(warmed_up, process, "train.swiftlearn.*")
    found[1].kill()
    said = finish(process, code=1)
    assert "winnow train@swiftlearn: rank 1 of 2 was ended by SIGKILL; the next run resumes from the last checkpoint" in said
    assert "Traceback" not in said
    assert none_left(found)
    said = finish(start(warmed_up, "pipelines.train", "swiftlearn"))
    assert "epoch 3" not in said or "epoch 4" in said
    assert outputs(warmed_up, "train", "swiftlearn", TRAINED) == undisturbed
    assert not list((warmed_up / ".winnow" / "checkpoints").iterdir())


@pytest.mark.slow
def test_a_stage_that_is_asked_to_end_saves_itself_and_goes_on(warmed_up, undisturbed):
    process = start(warmed_up, "pipelines.train", "swiftlearn", seconds="0")
    found = saved_once(warmed_up, process, "train.swiftlearn.*")
    process.send_signal(signal.SIGINT)
    said = finish(process, code=130)
    assert "winnow train@swiftlearn: stopped; the next call goes on from here" in said
    assert "Traceback" not in said
    assert none_left(found)
    assert len(list((warmed_up / ".winnow" / "checkpoints").glob("train.swiftlearn.*"))) == 1
    finish(start(warmed_up, "pipelines.train", "swiftlearn"))
    assert outputs(warmed_up, "train", "swiftlearn", TRAINED) == undisturbed


@pytest.mark.slow
def test_a_killed_warm_up_scores_as_an_undisturbed_one(warmed_up):
    files = ("scores.parquet", "state.safetensors", "history.json")
    expected = outputs(warmed_up, "warm_up", "two-epochs", files)
    process = start(warmed_up, "pipelines.warm_up", "two-epochs", seconds="0")
    found = saved_once(warmed_up, process, "warm_up.*")
    found[0].kill()
    assert "rank " in finish(process, code=1)
    assert none_left(found)
    finish(start(warmed_up, "pipelines.warm_up", "two-epochs"))
    assert outputs(warmed_up, "warm_up", "two-epochs", files) == expected
    subset = warmed_up / "results/subset/swiftlearn/subset.parquet"
    before = subset.read_bytes()
    finish(start(warmed_up, "pipelines.subset", "swiftlearn"))
    assert subset.read_bytes() == before


@pytest.mark.slow
def test_a_rank_that_does_not_answer_ends_the_stage_in_time(warmed_up):
    process = start(warmed_up, "pipelines.train", "swiftlearn", seconds="0", WINNOW_RANK_TIMEOUT="20")
    found = saved_once(warmed_up, process, "train.swiftlearn.*")
    found[1].suspend()
    said = finish(process, code=1)
    assert "winnow train@swiftlearn: rank 0 of 2 waited for another rank longer than WINNOW_RANK_TIMEOUT; " in said
    assert "Traceback" not in said
    assert none_left(found)


@pytest.mark.slow
def test_a_killed_stage_leaves_no_rank(warmed_up):
    process = start(warmed_up, "pipelines.train", "swiftlearn", seconds="0")
    found = saved_once(warmed_up, process, "train.swiftlearn.*")
    process.kill()
    process.communicate()
    assert none_left(found)


@pytest.mark.slow
def test_costs_are_of_all_ranks(warmed_up, undisturbed):
    cost = json.loads((warmed_up / "results/cost/train.swiftlearn.json").read_text())
    assert cost["ranks"] == 2
    history = json.loads((warmed_up / "results/train/swiftlearn/history.json").read_text())
    assert cost["counts"]["trained"] == sum(r["trained"] for r in history)
    assert cost["laps"]["forward"]["examples"] == sum(r["trained"] for r in history[2:])
    assert cost["energy"]["kwh"] > 0


@pytest.mark.slow
def test_batch_norm_is_refused_on_a_cpu(tmp_path):
    folder = planned(tmp_path, name="cnn")
    said = finish(start(folder, "pipelines.warm_up", "two-epochs", WINNOW_DEVICE="cpu"), code=2)
    assert said == (
        "winnow warm_up@two-epochs: params.yaml: tasks.digits.training.devices: must be 1 on a CPU for a model with batch norm "
        "(its layer '1'), which would see only a part of each batch, got 2; GPUs synchronise it\n"
    )


@pytest.fixture
def two_devices(write_params):
    write_params({"task": "digits", "tasks.digits.training.devices": 3})
    plan()


def test_more_devices_than_gpus_are_refused(two_devices, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("WINNOW_DEVICE", raising=False)
    with pytest.raises(
        UserError, match=r"tasks\.digits\.training\.devices: must be in \[1, 2\], .*, got 3; the nearest .* is 2"
    ):
        launcher.started("train", "full")


@pytest.mark.parametrize("asked", ["0", "-1", "soon", "nan"])
def test_a_timeout_is_checked_before_anything_is_started(two_devices, monkeypatch, asked):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setenv("WINNOW_RANK_TIMEOUT", asked)
    with pytest.raises(UserError, match=f"WINNOW_RANK_TIMEOUT: must be seconds above 0, got '{asked}'"):
        launcher.started("train", "full")


def ended(folder, *ends):
    for time_, (rank, code, message) in enumerate(ends):
        said = {"rank": rank, "code": code, "message": message, "trace": "Traceback\n", "time": time_}
        artifacts.write_json(folder / f"{rank}.json", said)


@pytest.mark.parametrize(
    ("ends", "codes", "error", "text"),
    [
        ([(1, 1, "failed: RuntimeError: closed"), (0, 2, "bad key")], {0: 2, 1: 1}, UserError, "bad key"),
        ([(0, 1, "failed: RuntimeError: closed")], {0: 1, 1: -9}, RankError, "rank 1 of 2 was ended by SIGKILL"),
        ([(0, 1, "failed: RuntimeError: Timed out waiting")], {0: 1, 1: -9}, RankError, "rank 0 of 2 waited for another"),
        ([(1, 1, "failed: A: b"), (0, 1, "failed: C: d")], {0: 1, 1: 1}, RankError, "rank 1 of 2 failed: A: b"),
        ([(0, 130, "stopped"), (1, 130, "stopped")], {}, Stopped, None),
        ([], {1: 3}, RankError, "rank 1 of 2 exited with 3"),
    ],
)
def test_of_several_ends_the_first_cause_is_said(tmp_path, ends, codes, error, text):
    ended(tmp_path, *ends)
    with pytest.raises(error, match=text):
        launcher._judge(tmp_path, codes, 2)


def test_ranks_that_are_ended_before_they_could_save_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(STOP, "is_set", lambda: True)
    with pytest.raises(Stopped):
        launcher._judge(tmp_path, {0: -15, 1: -15}, 2)
    launcher._judge(tmp_path, {}, 2)
