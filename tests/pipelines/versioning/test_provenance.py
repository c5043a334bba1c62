"""What a result says it was made from."""

import subprocess
from pathlib import Path

import pytest

from pipelines.versioning import provenance


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A repository with code and settings; return its commit."""
    monkeypatch.chdir(tmp_path)
    Path("components").mkdir()
    for name in ("params.yaml", "dvc.yaml", "README.md", "components/rule.py"):
        Path(name).write_text("as it was\n")
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "start")
    return git("rev-parse", "HEAD")


def test_a_result_names_its_commit_and_what_is_not_as_committed(committed):
    assert provenance.commit() == committed
    assert provenance.versions()["winnow.changes"] == "none"
    Path("README.md").write_text("what decides nothing")
    assert provenance.commit() == committed
    Path("params.yaml").write_text("seed: 1\n")
    Path("components/new.py").write_text("")
    Path("components/rule.py").unlink()
    changes = "components/new.py, components/rule.py, params.yaml"
    assert provenance.commit() == f"{committed}, with changes in {changes}"
    assert provenance.versions()["winnow.changes"] == changes


def test_a_result_is_of_the_folder_that_it_is_in(committed, tmp_path, monkeypatch):
    Path("params.yaml").write_text("seed: 1\n")
    monkeypatch.chdir("/")
    assert "winnow.changes" not in provenance.versions()
    found = provenance.versions(tmp_path)
    assert (found["mlflow.source.git.commit"], found["winnow.changes"]) == (committed, "params.yaml")


def test_without_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert provenance.commit() == ""
    assert "winnow.changes" not in provenance.versions()
