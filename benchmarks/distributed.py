"""Speedup of training in two processes over one, and selection's share of the time.

The real stages run in fresh copies of the project, both ways in turns; the seconds are those of their cost records. Two
processes need two cores: it measures wall time, so the machine must be idle.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import FASHION_MNIST, ONE_THREAD, environment, inside, params_of, repro, save, summary
from pipelines.costs.records import CostRecord

TASK = "fashion-mnist"
BLOCKS: dict[str, dict[str, Any]] = {"full": {}, "adaselection": {"fraction": 0.2}}
RANKS = (1, 2)
EPOCHS = 2


def trained(folder: Path, params: dict[str, Any], method: str, ranks: int) -> dict[str, float]:
    """Train ``method`` with ``ranks`` processes in the copy ``folder``; return the figures of its cost record."""
    params["tasks"][TASK]["training"]["devices"] = ranks
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    for stage in (["plan"], ["warm_up", "none"], ["subset", method], ["train", method]):
        command = [sys.executable, "-m", f"pipelines.{stage[0]}", *stage[1:]]
        given = environment(folder) | {"WINNOW_DEVICE": "cpu"}
        done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
    cost = CostRecord.of_stage("train", method)
    laps, counts = cost.laps, cost.counted
    return {
        "drawn_a_second": counts.drawn / laps["train"].wall_seconds,
        "cpu_seconds": laps["train"].cpu_seconds,
        "selection_share": laps["select"].cpu_seconds / laps["train"].cpu_seconds,
        "gather_share_of_wall": laps["gather"].wall_seconds / laps["train"].wall_seconds if "gather" in laps else 0.0,
        "trained": counts.trained,
    }


def compared(one: dict[str, float], two: dict[str, float]) -> dict[str, float]:
    """Return the ratios of two processes to one."""
    return {
        "speed_over_one": two["drawn_a_second"] / one["drawn_a_second"],
        "cpu_over_one": two["cpu_seconds"] / one["cpu_seconds"],
        "drawn_a_second": two["drawn_a_second"],
        "drawn_a_second_of_one": one["drawn_a_second"],
        "selection_share": two["selection_share"],
        "selection_share_of_one": one["selection_share"],
        "gather_share_of_wall": two["gather_share_of_wall"],
        "trained_over_one": two["trained"] / one["trained"],
    }


def measure(source: str, limit: int | None, batch_size: int, rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` on ``limit`` examples, by method."""
    params = params_of(TASK, source, epochs=EPOCHS, batch_size=batch_size)
    params |= {"compare": dict.fromkeys(BLOCKS, "none"), "warm_ups": {"none": {"epochs": 0}}, "methods": BLOCKS}
    params["tasks"][TASK]["limit"] = limit
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in BLOCKS}
    with inside(params) as folder:
        repro(folder, "prepare")
        for turn in range(rounds):
            for name, found in runs.items():
                order = RANKS if turn % 2 == 0 else RANKS[::-1]
                cost = {ranks: trained(folder, params, name, ranks) for ranks in order}
                found.append(compared(cost[1], cost[2]))
    medians = {name: {k: summary([run[k] for run in found])["median"] for k in found[0]} for name, found in runs.items()}
    return {"limit": limit, "epochs": EPOCHS, "batch_size": batch_size, "medians": medians, "runs": runs}


def main() -> None:
    """Measure LeNet on Fashion-MNIST."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion-mnist", default=FASHION_MNIST, help="folder of the IDX files")
    parser.add_argument("--limit", type=int, help="examples; all, if left out")
    parser.add_argument("--batch-size", type=int, default=128, help="of both processes together")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    save(f"distributed.{TASK}", measure(given.fashion_mnist, given.limit, given.batch_size, given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
