"""Peak memory and CPU seconds of a training step with adapters, against one that trains the whole encoder.

Each kind takes its steps in a process of its own, whose highest resident memory is asked of the system, on the longest
texts of the movie reviews: padding is none, and all batches are alike.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
from typing import Any

import yaml

from benchmarks.common import FASHION_MNIST, ONE_THREAD, cpu_seconds, environment, inside, params_of, repro, save, summary

TASK = "movie-reviews-lora"
#: Steps of a process: the optimizer has its moments after the first.
STEPS = 4
LIMIT = 2_000
#: Highest memory, as a share of that of ``full``.
TARGETS = {"lora": 0.6}
#: Changes of the task's model and training; ``libraries`` builds no model.
KINDS: dict[str, dict[str, dict[str, Any]]] = {
    "libraries": {"model": {}, "training": {}},
    "full": {"model": {"lora": None}, "training": {}},
    "lora": {"model": {}, "training": {}},
    "lora, micro_batch 8": {"model": {}, "training": {"micro_batch": 8}},
    "lora, checkpoint_activations": {"model": {}, "training": {"checkpoint_activations": True}},
    "lora, both": {"model": {}, "training": {"micro_batch": 8, "checkpoint_activations": True}},
}


def steps(count: int) -> dict[str, float]:
    """Take ``count`` steps of the planned training here; return MB of memory, and the CPU seconds of a step."""
    import peft  # noqa: F401 - what every kind imports
    import torch

    from components.selection.selector import Selector
    from components.tasks.batch import Rows
    from pipelines.training.job import Job

    found = {"libraries": highest()}
    if not count:
        return found
    training = Job("train", "full", Selector()).training
    found["built"] = highest()
    lengths, size = training.examples.lengths, training.plan.batch_size
    assert lengths is not None
    longest = torch.from_numpy(lengths.argsort(kind="stable")[-size:].copy())

    def step() -> None:
        training.learner.step(training.learner.fetch(training.examples, Rows.unweighted(longest)), 0.0)

    seconds = [cpu_seconds(step) for _ in range(count)]
    return found | {"peak": highest(), "step_cpu_seconds": sorted(seconds)[len(seconds) // 2]}


def highest() -> float:
    """Return the highest resident memory of this process so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def once(params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Measure each kind in a fresh copy of the project."""
    found = {}
    with inside(params) as folder:
        repro(folder, "prepare")
        for kind, changes in KINDS.items():
            changed = copy.deepcopy(params)
            for section, keys in changes.items():
                changed["tasks"][TASK][section] |= keys
                changed["tasks"][TASK][section] = {k: v for k, v in changed["tasks"][TASK][section].items() if v is not None}
            (folder / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
            run = [sys.executable, "-m"]
            subprocess.run([*run, "pipelines.plan"], cwd=folder, env=environment(folder), check=True, capture_output=True)
            command = [*run, "benchmarks.adapters", "--steps", str(0 if kind == "libraries" else STEPS)]
            done = subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True, text=True)
            found[kind] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` of each kind's memory and time, as shares of those of ``full``."""
    params = params_of(TASK, FASHION_MNIST) | {"compare": {"full": "none"}}
    params["tasks"][TASK]["limit"] = LIMIT
    runs = [once(copy.deepcopy(params)) for _ in range(rounds)]
    shares = {}
    for kind in KINDS:
        if kind in ("libraries", "full"):
            continue
        of = [(run[kind], run["full"], run["libraries"]["libraries"]) for run in runs]
        shares[kind] = {
            "peak": summary([k["peak"] / full["peak"] for k, full, _ in of])["median"],
            "peak_above_libraries": summary([(k["peak"] - base) / (full["peak"] - base) for k, full, base in of])["median"],
            "step_cpu_seconds": summary([k["step_cpu_seconds"] / full["step_cpu_seconds"] for k, full, _ in of])["median"],
        }
    size = params["tasks"][TASK]["training"]["batch_size"]
    return {"targets": TARGETS, "batch_size": size, "over_full": shares, "runs": runs}


def main() -> None:
    """Measure every kind, or take steps of one and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="take so many steps of the plan of this folder, for the processes measured")
    given = parser.parse_args()
    if given.steps is not None:
        print(json.dumps(steps(given.steps)))
        return
    save(f"adapters.{TASK}", measure(given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
