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
from pipelines.versioning import dvc_project, dvc_remote


def working_copy(folder, stages):
    """Make the ``folder`` a working copy of these stages, of which one written below another comes before it."""
    from dvc.repo import Repo

    folder.mkdir(exist_ok=True)
    Repo.init(str(folder), no_scm=True).close()
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Go to a working copy of four stages, three of which stand in a row, written the other way round."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    row = {"c": ["b.txt"], "b": ["a.txt"], "a": [], "apart": []}
    working_copy(tmp_path, {n: {"cmd": "true", "deps": deps, "outs": [f"{n}.txt"]} for n, deps in row.items()})


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's
def test_stages_come_after_those_that_they_depend_on(stages):
    assert dvc_project.stages() == ["a", "b", "c", "apart"]
    assert dvc_project.depends_on() == {"a": set(), "b": {"a"}, "c": {"b"}, "apart": set()}
    assert dvc_project.before("c") == ["a", "b"]
    assert dvc_project.stale() == {"a", "b", "c", "apart"}


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """Stand in a working copy in whose folder ``.winnow`` another one is; return the stages that the other alone has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    working_copy(tmp_path, {"a": {"cmd": "false", "outs": ["a.txt"]}})
    (tmp_path / ".winnow").mkdir()
    later = {"foreach": {"x": "1", "y": "2"}, "do": {"cmd": "cp a.txt ${key}.txt", "deps": ["a.txt"], "outs": ["${key}.txt"]}}
    first = {"cmd": "echo ${seed} > a.txt", "params": ["seed"], "outs": ["a.txt"]}
    root = tmp_path / ".winnow/other"
    working_copy(root, {"b": later, "a": first})
    (root / "params.yaml").write_text("seed: 3\n")
    return root


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's
def test_a_working_copy_is_asked_and_worked_in_from_elsewhere(copies, monkeypatch):
    assert dvc_project.stages(copies) == ["a", "b@x", "b@y"]
    assert dvc_project.depends_on(copies) == {"a": set(), "b@x": {"a"}, "b@y": {"a"}}
    assert dvc_project.before("b@y", copies) == ["a"]
    for stage in ("a", "b@y"):
        dvc_project.reproduce(stage, said=print, root=copies)
    assert (copies / "y.txt").read_text() == "3\n"
    assert dvc_project.stale(copies) == {"b@x"}
    for left in (copies / "a.txt", copies / "y.txt"):
        left.unlink()
    assert [dvc_remote.restore(stage, copies) for stage in ("a", "b@x", "b@y")] == [True, False, True]
    assert (copies / "y.txt").read_text() == "3\n"
    assert not Path("dvc.lock").exists()
    there = dvc_project.identity("b@y", copies)
    lock = (copies / "dvc.lock").read_bytes()
    monkeypatch.chdir(copies)
    assert dvc_project.identity("b@y") == there
    assert dvc_remote.restore("b@y")
    assert dvc_project.stale() == {"b@x"}
    assert Path("dvc.lock").read_bytes() == lock


WRONG = {
    "no YAML": "stages: [",
    "no stage": "stages: {a: {cmd: x, outs: [y], other: 3}}",
    "no value": "stages: {a: {cmd: '${b}'}}",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_the_same_words_from_elsewhere(copies, monkeypatch, text):
    (copies / "dvc.yaml").write_text(text)
    with pytest.raises(UserError) as there:
        dvc_project.stages(copies)
    monkeypatch.chdir(copies)
    with pytest.raises(UserError, match=r"^dvc\.yaml: ") as here:
        dvc_project.stages()
    assert str(there.value) == str(here.value)


def test_a_folder_that_is_no_working_copy_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=f"^{tmp_path}: is not a DVC working copy: "):
        dvc_project.stages(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{tmp_path}: is not a DVC working copy: "):
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
    asked = []

    def call(*command, said, root):
        asked.append((root, command))
        return 255

    monkeypatch.setattr(dvc_project, "call", call)
    if code is not None:
        write_json(tmp_path / FAILURES / "train@full", {"code": code, "message": "params.yaml: seed"})
    with pytest.raises(error, match=said):
        dvc_project.reproduce("train@full", pull=True, root=tmp_path)
    command = ("dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", "--pull", "train@full")
    assert asked == [(tmp_path, command)]
