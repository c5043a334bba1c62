"""Copies of the project in which the real stages have compared methods on digits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, defaults

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


def _copied(copy, changes):
    """Make a copy of the project in the folder ``copy``, its params.yaml changed, and return it."""
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").mkdir()
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "MLproject", "prefect.yaml", "data/README.md"):
        shutil.copy(ROOT / name, copy / name)
    params = defaults()
    (copy / "params.yaml").write_text(yaml.safe_dump(params | changes(params), sort_keys=False))
    _run_in(copy, "git", "init", "--quiet")
    _run_in(copy, "dvc", "init", "--quiet")
    _run_in(copy, "git", "add", "--all")
    _run_in(copy, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "start")
    return copy


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """Return MLflow's database as it is before anything is told; to make one takes MLflow seconds."""
    import mlflow

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory):
    """Return the setting of one database for all flows: to make its tables takes longer than a comparison of digits."""
    return {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


@pytest.fixture(scope="session")
def finished_copy(tmp_path_factory, run_in, new_database):
    """Return a copy of the project where ``dvc repro`` has run, and MLflow has been told nothing; do not change it."""
    copy = _copied(tmp_path_factory.mktemp("finished") / "project", lambda params: CHANGES)
    run_in(copy, "dvc", "repro")
    shutil.copy(new_database, copy / "mlflow.db")
    return copy


@pytest.fixture
def run_alone(tmp_path, run_in, new_database):
    """Run ``dvc repro`` of one task of params.yaml, changed, on everything alone; return the copy of the project."""

    def run(task, **changes):
        def alone(params):
            block = params["tasks"][task]
            block |= {k: v for k, v in changes.items() if k != "training"}
            block["training"] |= changes.get("training", {})
            return {"task": task, "compare": {"full": "none"}}

        copy = _copied(tmp_path / "alone", alone)
        shutil.copy(new_database, copy / "mlflow.db")
        run_in(copy, "dvc", "repro")
        return copy

    return run


@pytest.fixture
def copy_of_finished(finished_copy, tmp_path):
    """Return a fresh copy of the finished project, to do with as a test likes."""
    return Path(shutil.copytree(finished_copy, tmp_path / "copy", symlinks=True))


@pytest.fixture
def no_tracker(copy_of_finished, monkeypatch):
    """Go to a finished comparison of which MLflow has not been told."""
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(copy_of_finished)
    return copy_of_finished


@pytest.fixture
def compared(copy_of_finished, run_in):
    """Run a comparison in a fresh copy of the finished project; return a reader of what it left."""

    def run(task, compare, warm_ups=None, **training):
        path = copy_of_finished / "params.yaml"
        params = yaml.safe_load(path.read_text())
        params |= {"task": task, "compare": compare}
        params["warm_ups"] |= warm_ups or {}
        params["tasks"][task]["training"] |= training
        path.write_text(yaml.safe_dump(params, sort_keys=False))
        run_in(copy_of_finished, "dvc", "repro")
        return lambda name: json.loads((copy_of_finished / "results" / name).read_text())

    return run
