"""A study of digits in a folder of its own, and processes that run it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.conftest import ROOT, defaults

#: Two methods, two fractions, two seeds: full, three trials and controls at three costs, each twice.
STUDY = {
    "methods": {"swiftlearn": "two-epochs", "infobatch": "none"},
    "fractions": [0.1, 0.3],
    "seeds": [0, 1],
    "controls": {"learning_rates": [1.0]},
}
CELLS = 20


def project(folder, **section):
    """Make a project of the study in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for name in ("dvc.yaml", "MLproject"):
        shutil.copy(ROOT / name, folder / name)
    write(folder, **section)
    return folder


def write(folder, **section):
    params = defaults()
    changes = {"task": "digits", "compare": {"full": "none"}, "study": STUDY | section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | changes, sort_keys=False))


def start(folder, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-m", "pipelines.study"]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process, code=0):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def marks(folder):
    return {p: p.stat().st_mtime_ns for p in folder.glob(".winnow/study/*/seed-*/.winnow/done/*.json")}
