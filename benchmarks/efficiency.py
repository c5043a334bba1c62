"""Counted against measured time: does skipping an example save what the passes it did not take should save?

Runs the real stages in a fresh copy of the project. Counted time is passes done times T_f and T_b, both measured while training
on everything (stage ``account``); measured time is CPU seconds, warm-up and selection included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import FASHION_MNIST, ONE_THREAD, inside, params_of, repro, save, summary

WARM_UP = "two-epochs"
METHODS = {"full": "none", "swiftlearn-10": WARM_UP, "swiftlearn-30": WARM_UP}
BLOCKS: dict[str, dict[str, object]] = {"full": {}} | {
    f"swiftlearn-{p}": {"method": "swiftlearn", "fraction": p / 100, "select": "top"} for p in (10, 30)
}
#: Task -> examples where not everything is asked for.
LIMITS: dict[str, int | None] = {"fashion-mnist": 12_000, "movie-reviews": 4_000}
PASSES = ("forward", "backward", "look")
TARGETS = {"measured_over_counted": 1.05, "selection_share": 0.01}


def _read(path: str) -> Any:  # noqa: ANN401 - whatever the file holds
    return json.loads((Path("results") / path).read_text(encoding="utf-8"))


def _cpu(laps: dict[str, Any], *names: str) -> float:
    return float(sum(laps[n]["cpu_seconds"] for n in names if n in laps))


def _figures(name: str, account: dict[str, Any]) -> dict[str, float]:
    """Return the ratios of the method ``name``, from its cost records and its account."""
    train, warm_up = _read(f"cost/train.{name}.json"), _read(f"cost/warm_up.{METHODS[name]}.json")
    subset = _read(f"cost/subset.{name}.json")
    unit, spent = account["unit_cpu_seconds"], account["methods"][name]["spent"]
    own = {k: train["counts"][k] - warm_up["counts"][k] for k in ("looked", "trained")}
    counted = own["looked"] * unit["forward"] + own["trained"] * (unit["forward"] + unit["backward"])
    total = spent["total"]["cpu_seconds"]
    scoring = _cpu(train["laps"], "record") + _cpu(warm_up["laps"], "record")
    passes = _cpu(train["laps"], *PASSES)
    return {
        "run_measured_over_counted": account["methods"][name]["measured_over_counted"],
        "train_measured_over_counted": _cpu(train["laps"], "train") / counted,
        # Of one process, so that a neighbour on the machine weighs on both alike.
        "train_over_its_own_passes": _cpu(train["laps"], "train") / passes,
        "selection_share": (_cpu(train["laps"], "select") + _cpu(subset["laps"], "select")) / total,
        "scoring_share": scoring / total,
        "time_counted": account["methods"][name]["time_counted"],
        "time_measured": account["methods"][name]["time_measured"],
    }


def once(params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Run the stages up to ``account`` in a fresh copy; return the figures by method."""
    with inside(params) as folder:
        repro(folder, "account")
        account = _read("account/account.json")
        return {name: _figures(name, account) for name in METHODS}


def measure(task: str, folder: str, limit: int | None, rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` runs of ``task`` on ``limit`` examples."""
    params = params_of(task, folder)
    params |= {"compare": METHODS, "methods": BLOCKS}
    params["warm_ups"] = {name: params["warm_ups"][name] for name in dict.fromkeys(METHODS.values())}
    params["tasks"][task]["limit"] = limit
    runs = [once(params) for _ in range(rounds)]
    medians = {name: {key: summary([run[name][key] for run in runs])["median"] for key in runs[0][name]} for name in METHODS}
    epochs = params["tasks"][task]["training"]["epochs"]
    return {"limit": limit, "epochs": epochs, "targets": TARGETS, "medians": medians, "runs": runs}


def main() -> None:
    """Measure one task, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(LIMITS), help=f"of {', '.join(LIMITS)}")
    parser.add_argument("--fashion-mnist", default=FASHION_MNIST, help="folder of the IDX files")
    parser.add_argument("--full", action="store_true", help="all examples, and not some thousands of them")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    if unknown := set(given.tasks) - set(LIMITS):
        sys.exit(f"no such task: {', '.join(unknown)} (known: {', '.join(LIMITS)})")
    for task in given.tasks:
        save(f"efficiency.{task}", measure(task, given.fashion_mnist, None if given.full else LIMITS[task], given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
