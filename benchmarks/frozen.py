"""CPU seconds of training on everything with stored states of the frozen layers, against without.

Both train the last layer of the movie reviews' encoder, of its first two layers or of all six, on the same batches in one
process, a few batches each in turns, so that each has its own dropout. Computing the states counts as training.
"""

from __future__ import annotations

import argparse
import copy
import os
from typing import Any

import yaml

from benchmarks.common import FASHION_MNIST, ONE_THREAD, inside, params_of, repro, save, summary
from benchmarks.efficiency import in_turns

TASK = "movie-reviews"
#: Layers of the encoder, of which the last one is trained.
LAYERS = (2, 6)
LIMIT = 4_000


def once(params: dict[str, Any]) -> dict[str, Any]:
    """Train both ways in turns, in a fresh copy.

    Return their CPU seconds by lap, and the ratio of the two.
    """
    from components.selection.selector import Selector
    from pipelines.plan import plan
    from pipelines.training.job import Job

    with inside(params) as folder:
        repro(folder, "prepare")
        jobs: dict[str, Job] = {}
        for name, keep in (("whole", False), ("kept", True)):
            params["tasks"][TASK]["training"]["keep_frozen"] = keep
            (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
            plan()
            jobs[name] = Job("train", "full", Selector())
        keeping = jobs["kept"].keeping
        assert keeping is not None
        keeping.compute(jobs["kept"].training.clock)
        in_turns(jobs)
        laps = {n: {k: lap["cpu_seconds"] for k, lap in job.training.clock.record().items()} for n, job in jobs.items()}
    return {
        "kept_over_whole": laps["kept"]["train"] / laps["whole"]["train"],
        "computing_share_of_kept": laps["kept"]["freeze"] / laps["kept"]["train"],
        "cpu_seconds": laps,
    }


def measure(limit: int | None, rounds: int) -> dict[str, Any]:
    """Return the medians over ``rounds`` runs on ``limit`` examples, by the number of layers."""
    medians, runs = {}, {}
    given = params_of(TASK, FASHION_MNIST)
    given |= {"compare": {"full": "none"}}
    given["tasks"][TASK]["limit"] = limit
    for layers in LAYERS:
        given["tasks"][TASK]["model"] |= {"num_hidden_layers": layers, "train_layers": 1}
        found = runs[str(layers)] = [once(copy.deepcopy(given)) for _ in range(rounds)]
        ratios = ("kept_over_whole", "computing_share_of_kept")
        medians[str(layers)] = {key: summary([run[key] for run in found])["median"] for key in ratios}
    return {"limit": limit, "epochs": given["tasks"][TASK]["training"]["epochs"], "medians": medians, "runs": runs}


def main() -> None:
    """Measure the encoder's first layers, and all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=LIMIT, help="examples")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    save("frozen.movie-reviews", measure(given.limit, given.rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
