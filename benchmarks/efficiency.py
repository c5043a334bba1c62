"""Counted against measured time: whether skipping examples saves as much as the skipped passes cost.

The stages before training run as usual; then all methods train in one process, in turns of a few batches each, so that other
load on the machine affects all alike. Counted time is passes times T_f and T_b of the training on everything; measured time is
CPU seconds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.common import ONE_THREAD, asked, inside, params_of, repro, save, summary
from pipelines.core import artifacts

if TYPE_CHECKING:
    from components.costs.clock import Lap as Running
    from pipelines.costs.records import Lap
    from pipelines.training.job import Job

WARM_UP = "two-epochs"
METHODS = {"full": "none", "swiftlearn-10": WARM_UP, "swiftlearn-30": WARM_UP, "multistage": "none"}
BLOCKS: dict[str, dict[str, object]] = {"full": {}} | {
    f"swiftlearn-{p}": {"method": "swiftlearn", "fraction": p / 100, "select": "top"} for p in (10, 30)
}
#: ``alt`` that makes stage 2 begin soon, since that is what is measured.
BLOCKS["multistage"] = {"n_0": 0.3, "alt": 0.7}
STAGE_2 = 2
#: Task -> default number of examples.
LIMITS: dict[str, int | None] = {"fashion-mnist": 12_000, "movie-reviews": 4_000}
TARGETS = {"measured_over_counted": 1.05, "selection_share": 0.01}
#: Parts that every method's training is cut into.
TURNS = 200


def _cpu(laps: Mapping[str, Lap | Running], name: str) -> float:
    return laps[name].cpu_seconds if name in laps else 0.0


def in_turns(jobs: dict[str, Job]) -> dict[str, dict[str, float]]:
    """Train all of ``jobs`` to their ends, in turns.

    Return what each had spent when its stage 2 began.
    """
    from components.epoch_records import Step

    turned: dict[str, dict[str, float]] = {}
    runs = {name: (job.training, iter(job.training.until())) for name, job in jobs.items()}
    starts = {name: training.position.epoch for name, (training, _) in runs.items()}
    names = list(runs)
    for turn in range(TURNS):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            training, moments = runs[name]
            until = starts[name] + (training.length - starts[name]) * (turn + 1) / TURNS
            for moment in moments:
                if isinstance(moment, Step) and moment.epoch + moment.done / moment.total >= until:
                    break
            if name not in turned and getattr(training.selector, "stage", 0) == STAGE_2:
                turned[name] = _spent(jobs[name])
    for _, moments in runs.values():
        list(moments)
    return turned


def _spent(job: Job) -> dict[str, float]:
    """Return the passes and CPU seconds of a training so far."""
    return {n: _total(job, n) for n in ("looked", "trained")} | {"cpu": _cpu(job.training.clock.laps, "train")}


def _over_counted(job: Job, before: dict[str, float], full: Job) -> float:
    """Return the ratio of measured to counted time of a training since ``before``."""
    unit = full.training.clock.laps
    forward, backward = (unit[part].cpu_seconds / unit[part].examples for part in ("forward", "backward"))
    own = {n: value - before[n] for n, value in _spent(job).items()}
    return own["cpu"] / (own["looked"] * forward + own["trained"] * (forward + backward))


def _figures(name: str, job: Job, before: dict[str, float], full: Job) -> dict[str, float]:
    """Return the ratios of the method ``name``, whose counts were ``before`` at its start."""
    from pipelines.costs.records import CostRecord

    laps = job.training.clock.laps
    warm_up, subset = CostRecord.of_stage("warm_up", METHODS[name]).laps, CostRecord.of_stage("subset", name).laps
    total = sum(_cpu(laps, "train") for laps in (laps, warm_up)) + _cpu(subset, "select")
    return {
        "train_measured_over_counted": _over_counted(job, before, full),
        "selection_share": (_cpu(laps, "select") + _cpu(subset, "select")) / total,
        "scoring_share": (_cpu(laps, "record") + _cpu(warm_up, "record")) / total,
    }


def _total(job: Job, column: str) -> int:
    return int(job.training.ledger.column(column).sum())


def once(params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Train all methods in turns, in a fresh copy; return the figures by method."""
    from pipelines.config.plans import MethodPlan
    from pipelines.train import begin

    with inside(params) as folder:
        repro(folder, "subset")
        jobs = {name: begin(MethodPlan.read(artifacts.plan_of("methods", name)))[0] for name in METHODS}
        before = {name: _spent(job) for name, job in jobs.items()}
        turned = in_turns(jobs)
        figures = {name: _figures(name, job, before[name], jobs["full"]) for name, job in jobs.items()}
        for name, then in turned.items():
            figures[name]["stage_2_measured_over_counted"] = _over_counted(jobs[name], then, jobs["full"])
        return figures


def measure(task: str, folder: str, limit: int | None, rounds: int) -> dict[str, Any]:
    """Return medians over ``rounds`` runs of ``task`` on ``limit`` examples."""
    params = params_of(task, folder)
    params |= {"compare": METHODS, "methods": BLOCKS}
    params["warm_ups"] = {name: params["warm_ups"][name] for name in dict.fromkeys(METHODS.values())}
    params["tasks"][task]["limit"] = limit
    runs = [once(params) for _ in range(rounds)]
    medians = {name: {key: summary([run[name][key] for run in runs])["median"] for key in runs[0][name]} for name in METHODS}
    epochs = params["tasks"][task]["training"]["epochs"]
    return {"limit": limit, "epochs": epochs, "targets": TARGETS, "turns": TURNS, "medians": medians, "runs": runs}


def main() -> None:
    """Measure one task, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all examples, and not some thousands of them")
    parser.add_argument("--rounds", type=int, default=1)
    given = asked(parser, LIMITS)
    for task in given.tasks:
        save(f"efficiency.{task}", measure(task, given.fashion_mnist, None if given.full else LIMITS[task], given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
