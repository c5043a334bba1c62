"""A worktree of an agent's clone: what is let in, where a run stands, and that nothing stays."""

import os
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import yaml

from pipelines.config.loader import load_received
from pipelines.core.environment import CLONE, DVC_REMOTE, GIT_REMOTE
from pipelines.core.errors import StageFailedError, UserError, without_passwords
from pipelines.versioning import dvc_remote, git_worktree
from tests.conftest import ROOT


def git(folder, *arguments):
    named = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", "-C", folder, *named, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Go to a clone of a git remote that holds params.yaml and an empty DVC project; return it."""
    for name in [n for n in os.environ if n.startswith(("WINNOW_", "GIT_"))]:
        monkeypatch.delenv(name)
    origin = tmp_path / "origin"
    (origin / ".dvc").mkdir(parents=True)
    (origin / ".dvc/config").touch()
    (origin / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (origin / ".gitignore").write_text(".winnow\n")
    (origin / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    git(origin, "init", "--quiet")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "-m", "start")
    subprocess.run(["git", "clone", "--quiet", origin, tmp_path / "clone"], check=True)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def left():
    return list(git_worktree.WORKTREES.glob("*")), git(".", "worktree", "list").count("\n")


def test_a_run_stands_in_a_worktree_with_its_own_params_which_is_gone_afterwards(clone, tmp_path, monkeypatch):
    monkeypatch.setenv(DVC_REMOTE.name, str(tmp_path / "remote"))
    text = (ROOT / "params.yaml").read_text().replace("task: reuters", "task: digits")
    with git_worktree.worktree(git_worktree.head(), text) as there:
        assert there.params.task == "digits"
        assert there.folder.parent == clone / git_worktree.WORKTREES
        assert (there.folder / "params.yaml").read_text() == text
        assert dvc_remote.address(there.folder) == str(tmp_path / "remote")
        assert (there.folder / ".winnow/checkpoints").resolve() == clone / ".winnow/checkpoints"
        assert Path.cwd() == clone
    assert dvc_remote.address() == ""
    assert left() == ([], 0)
    assert git(clone, "status", "--porcelain") == ""


def test_a_run_that_fails_leaves_nothing(clone):
    with pytest.raises(ZeroDivisionError), git_worktree.worktree(git_worktree.head()):
        _ = 1 / 0
    assert left() == ([], 0)


def test_a_kept_one_is_gone_on_in_until_it_ends_well(clone, tmp_path, monkeypatch):
    monkeypatch.setenv(DVC_REMOTE.name, str(tmp_path / "remote"))
    revision = git_worktree.head()
    with suppress(ZeroDivisionError), git_worktree.kept("mine", revision) as there:
        (there.folder / "half").touch()
        raise ZeroDivisionError
    # Nor is it taken for one of a process that died.
    with git_worktree.worktree(revision):
        pass
    with git_worktree.kept("mine", revision) as there:
        assert there.folder == clone / git_worktree.KEPT / "mine"
        assert (there.folder / "half").exists()
        # It shares what others do.
        assert f"url = {tmp_path / 'remote'}" in (there.folder / ".dvc/config.local").read_text()
        assert (there.folder / ".winnow/cells").resolve() == clone / ".winnow/cells"
        with pytest.raises(UserError, match=r"mine is already running in .* \(pid "), git_worktree.kept("mine", revision):
            pass
    assert not (clone / git_worktree.KEPT / "mine").exists()
    with pytest.raises(UserError, match=r"^params\.yaml: task: "), git_worktree.kept("mine", revision, "task: 3"):
        pass
    assert not (clone / git_worktree.KEPT / "mine").exists()


def test_several_are_there_at_once_each_with_its_own_params_and_results(clone):
    revision, text = git_worktree.head(), (ROOT / "params.yaml").read_text()
    texts = {task: text.replace("task: reuters", f"task: {task}") for task in ("digits", "movie-reviews")}
    with ExitStack() as stack:
        opened = {task: stack.enter_context(git_worktree.worktree(revision, texts[task])) for task in texts}
        kept = stack.enter_context(git_worktree.kept("mine", revision))
        folders = {there.folder for there in (*opened.values(), kept)}
        assert len(folders) == 3
        for task, there in opened.items():
            assert (there.params.task, load_received(root=there.folder).task) == (task, task)
            (there.folder / task).touch()
        assert [(there.folder / task).exists() for there in opened.values() for task in texts] == [True, False, False, True]
        assert (kept.folder / "params.yaml").read_text() == text
        assert Path.cwd() == clone
    assert not any(folder.exists() for folder in folders)
    assert left() == ([], 0)


def test_prefect_is_told_of_the_clone_and_goes_there_itself(clone, tmp_path, monkeypatch):
    monkeypatch.setenv(CLONE.name, str(tmp_path))
    assert git_worktree.enter() == {"directory": str(tmp_path)}
    assert Path.cwd() == clone


def test_what_is_pushed_later_is_found_and_what_is_on_no_branch_is_refused(clone):
    origin = clone.parent / "origin"
    git(origin, "commit", "--quiet", "--allow-empty", "-m", "next")
    new = git(origin, "rev-parse", "HEAD")
    with git_worktree.worktree(new) as there:
        assert git(there.folder, "rev-parse", "HEAD") == new
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "not pushed")
    with pytest.raises(UserError, match=r"is on no branch of the git remote; push it first"):
        git_worktree.worktree(git(clone, "rev-parse", "HEAD")).__enter__()
    with pytest.raises(UserError, match="no such commit"):
        git_worktree.worktree("0" * 40).__enter__()
    blob = git(clone, "rev-parse", "HEAD:params.yaml")
    with pytest.raises(UserError, match="no such commit"):
        git_worktree.worktree(blob).__enter__()
    assert left() == ([], 0)


def test_the_worktree_of_a_killed_run_is_removed_by_the_next(clone):
    dead = subprocess.Popen(["true"])
    dead.wait()
    git(clone, "worktree", "add", "--quiet", "--detach", str(clone / git_worktree.WORKTREES / f"{dead.pid}-a"))
    with git_worktree.worktree(git_worktree.head()):
        assert len(list((clone / git_worktree.WORKTREES).iterdir())) == 1
    assert left() == ([], 0)


def test_a_git_remote_that_does_not_answer_is_said_without_its_password(clone, monkeypatch):
    monkeypatch.setenv(GIT_REMOTE.name, "https://me:secret@127.0.0.1:9/x.git")
    with pytest.raises(StageFailedError, match="git fetch") as caught:
        git_worktree.fetch()
    assert "secret" not in str(caught.value)
    assert without_passwords("s3://key:secret@host/a and ssh://b@c") == "s3://host/a and ssh://c"


REFUSED = {
    "a name for a shell": ({"compare": {"full; touch x": "none"}}, r"compare.*match pattern"),
    "a name that leaves the folder": ({"warm_ups": {"../x": {"epochs": 0}}}, r"warm_ups.*match pattern"),
}


@pytest.mark.parametrize(("changes", "text"), REFUSED.values(), ids=REFUSED)
def test_names_that_dvc_would_put_into_a_command_are_refused(write_params, changes, text):
    write_params(changes)
    with pytest.raises(UserError, match=text):
        load_received()


READ_TWICE = {
    "an alias": ("seed: 0", "seed: &a 0\nx: *a", r"has an alias"),
    "an octal number": ("seed: 0", "seed: 010", r"YAML 1.1 and 1.2 read this value differently"),
    "depth without end": ("seed: 0", "seed: " + 1_000 * "[" + 1_000 * "]", r"cannot be read"),
}


@pytest.mark.parametrize(("old", "new", "text"), READ_TWICE.values(), ids=READ_TWICE)
def test_what_dvc_may_read_otherwise_is_refused(write_params, old, new, text):
    write_params({})
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text().replace(old, new, 1))
    with pytest.raises(UserError, match=text):
        load_received()


def test_the_projects_own_params_are_read_the_same(write_params):
    write_params({"pools": {"default": "mine"}})
    assert load_received().pools.of("train@full") == "mine"
    assert yaml.safe_load(Path("params.yaml").read_text())["pools"] == {"default": "mine"}
