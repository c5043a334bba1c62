"""Overhead of a whole run beside its training: start-up, dvc, flow, publishing, by name.

A command runs in a fresh copy of the project, in which every Python process logs its start and end. Each moment of the run is
assigned to the running process that started last; a stage's training seconds are those of its cost record. It measures wall
time, so the machine must be idle.
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
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.common import environment, inside, save

#: Imported by every Python process that finds it on its path.
WITNESS = """
import atexit, json, os, sys, time
from pathlib import Path

def began():
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - (up - int(fields[19]) / os.sysconf("SC_CLK_TCK"))

def note(start=began(), owner=os.getpid(), command=list(sys.orig_argv)):
    if os.getpid() == owner:
        used = os.times()
        line = {"start": start, "end": time.time(), "cpu": used.user + used.system, "command": command}
        with open(os.environ["WINNOW_WITNESS"], "a") as file:
            file.write(json.dumps(line) + chr(10))

atexit.register(note)
"""
#: Laps of a stage's cost record that are training or scoring.
TRAINING = "train"


@dataclass(frozen=True)
class Process:
    """A process of the run: its purpose, its span in wall seconds, and its CPU seconds."""

    name: str
    start: float
    end: float
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
    return [Process(_name(line["command"]), line["start"], line["end"], line["cpu"]) for line in lines]


def exclusive(found: list[Process], start: float, end: float) -> dict[str, float]:
    """Return wall seconds by name: each moment belongs to the process started last, or to "other" if none runs."""
    edges = sorted({start, end, *(min(max(t, start), end) for p in found for t in (p.start, p.end))})
    spent: dict[str, float] = defaultdict(float)
    for a, b in pairwise(edges):
        under_way = [p for p in found if p.start <= a and p.end >= b]
        spent[max(under_way, key=lambda p: p.start).name if under_way else "other"] += b - a
    return dict(spent)


def by_cpu(folder: Path, found: list[Process]) -> dict[str, float]:
    """Return CPU seconds by stage or tool, training apart; other load affects them less than wall seconds."""
    parts: dict[str, float] = defaultdict(float)
    for process in found:
        parts[process.name.split(".")[0]] += process.cpu
    for name, cost in _costs(folder):
        training = cost["laps"].get(TRAINING, {}).get("cpu_seconds", 0.0)
        parts[name.split(".")[0]] -= training
        parts["training"] += training
    return _largest_first(parts)


def _largest_first(parts: dict[str, float]) -> dict[str, float]:
    return {k: round(v, 3) for k, v in sorted(parts.items(), key=lambda kv: -kv[1]) if v >= 0.0005}


def _costs(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((folder / "results" / "cost").glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def shares(folder: Path, spent: dict[str, float]) -> dict[str, float]:
    """Split each stage's seconds into training, other work, building and start-up; those of tools stay."""
    parts: dict[str, float] = defaultdict(float)
    costs = dict(_costs(folder))
    for name, seconds in spent.items():
        cost = costs.get(name)
        stage = name.split(".")[0]
        if cost is None:
            parts[name] += seconds
            continue
        laps, building = cost["laps"], cost.get("start_up_seconds", 0.0)
        training = laps.get(TRAINING, {}).get("wall_seconds", 0.0)
        work = 0.0 if training else sum(lap["wall_seconds"] for lap in laps.values())
        parts["training"] += training
        if work:
            parts[f"{stage}: work"] += work
        parts[f"{stage}: building"] += building
        parts[f"{stage}: start-up and files"] += max(0.0, seconds - training - work - building)
    return _largest_first(parts)


def measure(command: str, task: str | None) -> dict[str, Any]:
    """Run ``command`` in a fresh copy and return its seconds by purpose."""
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
        found = processes(witness / "log")
        parts, cpu = shares(folder, exclusive(found, start, end)), by_cpu(folder, found)
    total, training = end - start, parts.get("training", 0.0)
    return {
        "timed": command,
        "wall_seconds": round(total, 2),
        "cpu_seconds": round(sum(p.cpu for p in found), 2),
        "processes": len(found),
        "training_seconds": training,
        "own_share": round(1 - training / total, 4),
        "target": 0.2,
        "parts": parts,
        "own_cpu_share": round(1 - cpu.get("training", 0.0) / sum(cpu.values()), 4),
        "cpu_parts": cpu,
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
