"""What was run before is restored in a working copy that is not the working directory, by DVC's run cache."""

from pathlib import Path

import pytest
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import StageCache

from pipelines.versioning import dvc_project, dvc_remote
from pipelines.versioning.run_cache import RunCache


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Stand beside a working copy in which a stage was run and what it made is gone; return its folder."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    root = tmp_path / "copy"
    root.mkdir()
    Repo.init(str(root), no_scm=True).close()
    (root / "b.txt").write_text("made\n")
    (root / "dvc.yaml").write_text("stages: {a: {cmd: cp b.txt a.txt, deps: [b.txt], outs: [a.txt]}}")
    dvc_project.reproduce("a", said=print, root=root)
    (root / "a.txt").unlink()
    (root / "dvc.lock").unlink()
    monkeypatch.chdir(tmp_path)
    return root


def test_what_was_run_is_restored_from_elsewhere(elsewhere):
    assert isinstance(dvc_project.repo(elsewhere).stage_cache, RunCache)
    assert dvc_remote.restore("a", elsewhere)
    assert (elsewhere / "a.txt").read_text() == "made\n"
    assert (elsewhere / "dvc.lock").exists()
    assert [path.name for path in Path().iterdir()] == ["copy"]


def test_dvcs_own_cannot(elsewhere):
    """When it can, this project needs none of its own."""
    repo = Repo(elsewhere)
    (stage,) = repo.stage.collect(dvc_project.target("a", elsewhere))
    with pytest.raises(DvcException, match="is outside of DVC repo"):
        StageCache(repo).restore(stage)
