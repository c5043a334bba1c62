"""Progress lines of a study."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from pipelines.core.progress import duration
from pipelines.trials import runner
from pipelines.trials.study_folder import StudyFolder


def timed_runner(study: StudyFolder, missing: list[tuple[int, str]]) -> Callable[[int, str], None]:
    """Return a function that runs a trial and logs it with the remaining time."""
    cost = {trial: study.grid[trial[1]].cost for trial in missing}
    begun, seen = time.monotonic(), set[tuple[int, str]]()

    def work(seed: int, name: str) -> None:
        seen.add((seed, name))
        started = time.monotonic()
        runner.run(study, seed, name)
        done = sum(cost[trial] for trial in seen)
        left = (time.monotonic() - begun) / done * (sum(cost.values()) - done)
        took = f"{time.monotonic() - started:.1f} s"
        log(f"{len(seen)}/{len(missing)}: {name}, seed {seed}: {took}, about {duration(left)} left")

    return work


def log(text: str) -> None:
    """Write a progress line to stderr."""
    sys.stderr.write(f"winnow study: {text}\n")
