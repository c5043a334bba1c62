"""Choosing among ten million examples: seconds, and memory beyond the scores, each in a process of its own.

Reading the column once is measured for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import ONE_THREAD, environment, inside, params_of, save, summary
from components.arrays import Array

if TYPE_CHECKING:
    from pipelines.config.plans import TaskPlan
    from pipelines.data.manifest import Manifest

FRACTION = 0.3
TARGETS = {"seconds": 3.0, "gibibytes": 1.0}
#: For a larger number of rows: allowed multiple of the time to read the column.
READINGS = 1.5
WARM_UP = "two-epochs"


def _peak() -> int:
    """Return this process's peak memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def choose(rule: str, rows: int) -> dict[str, float]:
    """Return seconds and memory of one call of ``choose.<rule>`` over ``rows`` float32 scores."""
    from components.selection.common import choose as rules

    scores = np.random.default_rng(0).standard_normal(rows, dtype=np.float32) ** 2
    k, before = int(FRACTION * rows), _peak()
    wall, cpu = time.perf_counter(), time.process_time()
    if rule == "top":
        rules.top(scores, k)
    else:
        rules.gumbel_top(rules.standardised(scores), k, 1.0, np.random.default_rng(1))
    return _spent(time.perf_counter() - wall, time.process_time() - cpu, _peak() - before)


def _spent(wall: float, cpu: float, size: int) -> dict[str, float]:
    return {"wall_seconds": wall, "cpu_seconds": cpu, "gibibytes": size / 2**30}


def _score_table(rows: int) -> None:
    """Write a plan, a manifest and a score table of ``rows`` examples, as the stages before ``subset`` do."""
    from components.rng import stream
    from pipelines.config.plans import TaskPlan, TrainingPlan, WarmUpPlan
    from pipelines.core import artifacts, tables
    from pipelines.plan import plan

    plan()
    rng = stream(0, "benchmark")
    signals = {n: rng.standard_normal(rows, dtype=np.float32) ** 2 for n in ("loss", "change", "el2n", "margin")}
    columns: dict[str, Array] = {
        "id": np.arange(rows), **signals, "gradient_norm": signals["el2n"], "correct": signals["loss"] < 0.5,
        "forgotten": rng.integers(0, 2, rows, np.int32), "seen": np.full(rows, 2, np.int32),
    }  # fmt: skip
    content = "0" * 64
    _manifest(TaskPlan.read(artifacts.plan_of("task")), rows, content).write(artifacts.MANIFEST)
    params = artifacts.digest(TrainingPlan.read(artifacts.plan_of("training")).dumped())
    warm_up = WarmUpPlan.read(artifacts.plan_of("warm_ups", WARM_UP)).dumped()
    origin = {"seed": 0, "data": content, "params": params, "checkpoint": content, "warm_up": warm_up}
    tables.write_table(artifacts.result("warm_up", WARM_UP, "scores.parquet"), columns, origin)


def _manifest(task: TaskPlan, rows: int, content: str) -> Manifest:
    """Return a manifest of ``rows`` training examples that are never read."""
    from pipelines.data.manifest import Manifest, SplitCounts

    judged = task.judging_metric
    return Manifest(
        kind=task.kind,
        task=task.name,
        source=task.source,
        licence=task.licence,
        citation=task.citation,
        seed=task.seed,
        target="class",
        metric=judged.name,
        higher=judged.higher,
        counts=SplitCounts(train=rows, test=0),
        content=content,
        files={},
        schema={},
        classes=[],
        outputs=0,
    )


def read(folder: Path) -> dict[str, float]:
    """Return seconds and memory of a process in which pyarrow reads the score column."""
    from pipelines.core.artifacts import result

    path = str(result("warm_up", WARM_UP, "scores.parquet"))
    wall = time.perf_counter()
    _, idle = _command(folder, "-c", "import pyarrow.parquet, numpy")
    start_up = time.perf_counter() - wall
    program = "import sys, pyarrow.parquet as pq; pq.read_table(sys.argv[1], columns=['change'])['change'].to_numpy()"
    wall = time.perf_counter()
    cpu, peak = _command(folder, "-c", program, path)
    return _spent(time.perf_counter() - wall, cpu, peak - idle) | {"start_up_wall_seconds": start_up}


def stage(folder: Path, method: str) -> dict[str, float]:
    """Return seconds of the stage ``subset``'s command, and its memory beyond that of starting it."""
    wall = time.perf_counter()
    _, idle = _command(folder, "-c", "import pipelines.subset")
    start_up = time.perf_counter() - wall
    wall = time.perf_counter()
    cpu, peak = _command(folder, "-m", "pipelines.subset", method)
    return _spent(time.perf_counter() - wall, cpu, peak - idle) | {"start_up_wall_seconds": start_up}


def _command(folder: Path, *arguments: str) -> tuple[float, int]:
    """Return CPU seconds and peak bytes of ``python`` with ``arguments``, measured by a process that does nothing else."""
    watch = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True); "
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime, u.ru_maxrss * 1024)"
    )
    command = [sys.executable, "-c", watch, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    cpu, peak = done.stdout.split()[-2:]
    return float(cpu), int(peak)


def measure(rows: int, rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` of all measurements, in turns."""
    params = params_of("digits", "")
    methods = {"swiftlearn": "top", "swiftlearn-sampled": "gumbel_top"}
    params["compare"] = {"full": "none", **dict.fromkeys(methods, WARM_UP)}
    runs: dict[str, list[dict[str, float]]] = {}
    with inside(params) as folder:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.selection", "--table", str(rows)],
            cwd=folder,
            env=environment(folder),
            check=True,
        )
        for _ in range(rounds):
            runs.setdefault("reading the column with pyarrow", []).append(read(folder))
            for method, rule in methods.items():
                runs.setdefault(f"choose.{rule}", []).append(_alone(folder, rule, rows))
                runs.setdefault(f"subset {method}", []).append(stage(folder, method))
    table = {
        what: {key: round(summary([r[key] for r in taken])["median"], 3) for key in taken[0]} for what, taken in runs.items()
    }
    read_once = table["reading the column with pyarrow"]["wall_seconds"]
    targets = TARGETS if rows == 10**7 else {"seconds": round(READINGS * read_once, 1), "gibibytes": 1.5}
    return {"rows": rows, "fraction": FRACTION, "targets": targets, "medians": table, "runs": runs}


def _alone(folder: Path, rule: str, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.selection", "--choose", rule, "--rows", str(rows)]
    done = subprocess.run(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def main() -> None:
    """Measure all, or in a child process one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10**7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--choose", help=argparse.SUPPRESS)
    parser.add_argument("--table", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.table:
        _score_table(given.table)
    elif given.choose:
        print(json.dumps(choose(given.choose, given.rows)))
    else:
        save("selection" if given.rows == 10**7 else f"selection.{given.rows}", measure(given.rows, given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
