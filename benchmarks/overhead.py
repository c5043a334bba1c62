"""Overhead of a whole run beside its training: start-up, dvc, flow, publishing, by name, in CPU seconds.

A command runs in a fresh copy of the project, in which every Python process logs its end and its CPU seconds, copies of a
fork server as what they run. A stage's training seconds are those of its cost record. Wall seconds are of the whole: stages
that run at once share each moment. The machine must be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import environment, inside, save

#: Imported by every Python process that finds it on its path.
WITNESS = """
import atexit, json, os, sys

first = os.getpid()

def note():
    used = os.times()
    command = sys.orig_argv if os.getpid() == first else ["python", "-m", *sys.argv]
    with open(os.environ["WINNOW_WITNESS"], "a") as file:
        file.write(json.dumps({"cpu": used.user + used.system, "command": command}) + chr(10))

atexit.register(note)
"""
#: Laps of a stage's cost record that are training or scoring.
TRAINING = "train"


@dataclass(frozen=True)
class Process:
    """A process of the run: its purpose and its CPU seconds."""

    name: str
    cpu: float


def _name(command: list[str]) -> str:
    """Return the purpose of a process: the stage with its name, the tool, or "python"."""
    if "-m" in command[:-1]:
        at = command.index("-m") + 1
        module = command[at]
        return ".".join([module.removeprefix("pipelines."), *command[at + 1 : at + 2]]) if "pipelines" in module else module
    script = next((Path(c).name for c in command[1:] if not c.startswith("-")), "python")
    return script if len(script) < 30 else "python"


def processes(log: Path) -> list[Process]:
    """Return the processes recorded in ``log``."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    return [Process(_name(line["command"]), line["cpu"]) for line in lines]


def by_cpu(folder: Path, found: list[Process]) -> dict[str, float]:
    """Return CPU seconds by stage or tool, training apart, the largest first."""
    parts: dict[str, float] = defaultdict(float)
    for process in found:
        parts[process.name.split(".")[0]] += process.cpu
    for name, cost in _costs(folder):
        training = cost["laps"].get(TRAINING, {}).get("cpu_seconds", 0.0)
        parts[name.split(".")[0]] -= training
        parts["training"] += training
    return {k: round(v, 3) for k, v in sorted(parts.items(), key=lambda kv: -kv[1]) if v >= 0.0005}


def _costs(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((folder / "results" / "cost").glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def measure(command: str, task: str | None) -> dict[str, Any]:
    """Run ``command`` in a fresh copy and return its CPU seconds by purpose."""
    with inside() as folder:
        if task is not None:
            text = (folder / "params.yaml").read_text(encoding="utf-8")
            (folder / "params.yaml").write_text(_with_task(text, task), encoding="utf-8")
        witness = folder.parent / "witness"
        witness.mkdir()
        (witness / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
        given = environment(folder)
        given = {k: v for k, v in given.items() if not k.endswith("_NUM_THREADS")}
        given |= {"PYTHONPATH": f"{witness}{os.pathsep}{folder}", "WINNOW_WITNESS": str(witness / "log")}
        start = time.time()
        done = subprocess.run(shlex.split(command), cwd=folder, env=given, check=False)
        end = time.time()
        if done.returncode:
            sys.exit(f"{command!r} ended with {done.returncode}")
        parts = by_cpu(folder, found := processes(witness / "log"))
    total = sum(parts.values())
    return {
        "timed": command,
        "wall_seconds": round(end - start, 2),
        "cpu_seconds": round(total, 2),
        "processes": len(found),
        "own_share": round(1 - parts.get("training", 0.0) / total, 4),
        "target": 0.06,
        "parts": parts,
    }


def _with_task(text: str, task: str) -> str:
    lines = text.splitlines()
    return "\n".join(f"task: {task}" if line.startswith("task:") else line for line in lines) + "\n"


def main() -> None:
    """Time one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", default="dvc repro", help="run in a fresh copy of the project")
    parser.add_argument("--task", help="of params.yaml, instead of the one that it names")
    given = parser.parse_args()
    save("overhead", measure(given.command, given.task))


if __name__ == "__main__":
    main()
