"""Shared parts of the benchmarks: pinned threads, a copy of the project, and results with their provenance."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
#: Set before torch is imported, since a library that asks for more threads gets none.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
#: Files that are not part of a fresh clone.
LEFT_BEHIND = (
    ".git",
    ".venv",
    ".winnow",
    ".tox",
    "results",
    "mlruns",
    "*.db",
    "*_cache",
    "__pycache__",
    "cache",
    "tmp",
    "dvc.lock",
)
PACKAGES = ("torch", "transformers", "numpy", "pyarrow", "dvc")


def asked(parser: argparse.ArgumentParser, known: Collection[str]) -> argparse.Namespace:
    """Return the parsed arguments: the requested ``known`` tasks, all by default, and those of ``parser``."""
    names = ", ".join(known)
    parser.add_argument("tasks", nargs="*", default=list(known), help=f"of {names}")
    parser.add_argument("--fashion-mnist", default=FASHION_MNIST, help="folder of the IDX files")
    given = parser.parse_args()
    if unknown := set(given.tasks) - set(known):
        sys.exit(f"no such task: {', '.join(unknown)} (known: {names})")
    return given


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of ``work`` over all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and range of ``values``, and the values."""
    rounded = [round(v, 4) for v in values]
    return {"median": round(median(values), 4), "min": min(rounded), "max": max(rounded), "rounds": rounded}


def machine() -> dict[str, Any]:
    """Return the machine, its load, and the versions."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def save(name: str, result: dict[str, Any]) -> None:
    """Write ``result`` with the command and the machine to results/<name>.json, and print it."""
    given = ["FOLDER" if Path(a).is_absolute() else a for a in sys.argv[1:]]
    command = " ".join(["python -m benchmarks." + Path(sys.argv[0]).stem, *given])
    text = json.dumps({"command": command, "machine": machine(), **result}, indent=1) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "runs"}, indent=1))


def params_of(task: str, folder: str, **training: object) -> dict[str, Any]:
    """Return params.yaml for ``task``, with Fashion-MNIST from ``folder``, one thread, and the given ``training``."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["task"] = task
    params["tasks"]["fashion-mnist"]["source"] = {"from": "idx", "folder": folder}
    params["tasks"][task]["training"] |= {"threads": 1, **training}
    return params


@contextmanager
def inside(params: dict[str, Any] | None = None) -> Iterator[Path]:
    """Change into a new folder with a fresh copy of the project, with ``params`` as its params.yaml."""
    before = Path.cwd()
    with TemporaryDirectory(prefix="winnow-") as name:
        folder = Path(name) / "winnow"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        if params is not None:
            (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command in the copy ``folder``: its own code, this Python, one thread."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": str(folder), "PATH": path}


def repro(folder: Path, *stages: str) -> None:
    """Run ``dvc repro`` in the copy ``folder``; its output is shown only if it fails."""
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", *stages]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
