"""A comparison of two methods on digits, run once by the real stages, for tests of what comes after."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
CHANGES = {"task": "digits", "compare": {"full": "none", "swiftlearn": "two-epochs"}}


def _run_in(folder, *command, **more):
    """Run a command in ``folder``, as its user would; fail with what it said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_"))}
    quiet = {"OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**kept, **quiet, "PATH": path, **more}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def run_in():
    return _run_in


@pytest.fixture(scope="session")
def finished_copy(tmp_path_factory, run_in):
    """Return a copy of the project where ``dvc repro`` has run; do not change it."""
    copy = tmp_path_factory.mktemp("finished") / "project"
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").mkdir()
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "MLproject", "data/README.md"):
        shutil.copy(ROOT / name, copy / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (copy / "params.yaml").write_text(yaml.safe_dump(params | CHANGES, sort_keys=False))
    run_in(copy, "git", "init", "--quiet")
    run_in(copy, "dvc", "init", "--quiet")
    run_in(copy, "git", "add", "--all")
    run_in(copy, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "start")
    run_in(copy, "dvc", "repro")
    return copy


@pytest.fixture
def copy_of_finished(finished_copy, tmp_path):
    """Return a fresh copy of the finished project, to do with as a test likes."""
    return Path(shutil.copytree(finished_copy, tmp_path / "copy", symlinks=True))
