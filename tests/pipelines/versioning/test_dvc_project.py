"""DVC's stages in order, its lock file without the dead, and how a stage ended."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.core.artifacts import write_json
from pipelines.core.command import BAD_INPUT, FAILURES, STOPPED
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.versioning import dvc_project


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Go to a working copy of four stages, three of which stand in a row, written the other way round."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    Repo.init(str(tmp_path), no_scm=True).close()
    row = {"c": ["b.txt"], "b": ["a.txt"], "a": [], "apart": []}
    held = {name: {"cmd": "true", "deps": deps, "outs": [f"{name}.txt"]} for name, deps in row.items()}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": held}, sort_keys=False))


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's
def test_stages_come_after_those_that_they_depend_on(stages):
    assert dvc_project.stages() == ["a", "b", "c", "apart"]
    assert dvc_project.depends_on() == {"a": set(), "b": {"a"}, "c": {"b"}, "apart": set()}
    assert dvc_project.before("c") == ["a", "b"]
    assert dvc_project.stale() == {"a", "b", "c", "apart"}


def test_a_folder_that_is_no_working_copy_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{tmp_path}: is no working copy: "):
        dvc_project.stages()


def test_the_dead_hold_nothing_any_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wait = [sys.executable, "-c", "import time; time.sleep(600)"]
    dead, other, living = subprocess.Popen([*wait, "dvc"]), subprocess.Popen(wait), subprocess.Popen([*wait, "dvc"])
    try:
        dead.kill()
        processes = {"dead": dead, "other": other, "living": living}
        holders = {name: {"pid": process.pid, "cmd": "dvc repro"} for name, process in processes.items()}
        path = Path(".dvc/tmp/rwlock")
        read = {"params.yaml": [holders["dead"], holders["living"]], "dvc.yaml": [holders["other"]]}
        write_json(path, {"read": read, "write": {"results/a": holders["dead"], "results/b": holders["living"]}})
        # Nobody has buried the dead one yet.
        while dvc_project._lives(holders["dead"]):
            pass
        dvc_project.release_the_dead()
        held = json.loads(path.read_text())
        assert held == {"read": {"params.yaml": [holders["living"]]}, "write": {"results/b": holders["living"]}}
    finally:
        for process in (dead, other, living):
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (BAD_INPUT, UserError, "^params.yaml: seed$"),
        (STOPPED, Stopped, "^$"),
        (1, StageFailedError, "^train@full: params.yaml: seed$"),
        (None, StageFailedError, "^train@full: 'dvc repro train@full' exited with 255; run it by hand to see why$"),
    ],
)
def test_a_stage_that_ends_badly_says_how(tmp_path, monkeypatch, code, error, said):
    monkeypatch.chdir(tmp_path)
    asked = []

    def call(*command, said):
        asked.append(command)
        return 255

    monkeypatch.setattr(dvc_project, "call", call)
    if code is not None:
        write_json(FAILURES / "train@full", {"code": code, "message": "params.yaml: seed"})
    with pytest.raises(error, match=said):
        dvc_project.reproduce("train@full", pull=True)
    assert asked == [("dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", "--pull", "train@full")]
