"""study.worker: runs the missing trials of one task and seed on an agent."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from pipelines.config import loader
from pipelines.core import artifacts
from pipelines.core.command import FAILED, main
from pipelines.core.errors import Stopped, UserError
from pipelines.study import tasks
from pipelines.study.console import log, timed_runner
from pipelines.trials import plan_files
from pipelines.trials.exchange import Handover
from pipelines.trials.grid import grid_of

#: Separator of task and seed in the name of a unit.
AT = "@"
#: Number of retries of a failed trial; each resumes from the last checkpoint.
AGAIN = 2


def part(unit: str) -> int:
    """Run a unit's missing trials (one task and seed), and return the exit status."""
    task, _, of = unit.rpartition(AT)
    seed, asked = int(of), tasks.each(loader.load(), artifacts.PARAMS)[task]
    study = plan_files.lay_out(asked, grid_of(asked))
    handover = Handover()
    handover.restore(study, seed)
    missing = [(s, name) for s, name in study.missing() if s == seed]
    log(f"{len(missing)} of {len(study.grid.trials)} trials to run on {task} with seed {seed}")
    work, failed = timed_runner(study, missing), dict[str, str]()
    for trial in study.grid.trials:
        if not study.is_done(seed, trial.name) and (reason := _tried(work, seed, trial.name)):
            failed[trial.name] = reason
            log(f"{trial.name}, seed {seed}: failed: {reason}")
        handover.share(study, seed, trial.name)
    artifacts.write_json(artifacts.unit_failures(unit), failed)
    return FAILED if failed else 0


def _tried(work: Callable[[int, str], None], seed: int, name: str) -> str:
    """Run a trial with retries, except after bad input; return why it failed, or ""."""
    reason = ""
    for _ in range(AGAIN + 1):
        try:
            work(seed, name)
        except UserError as error:
            return str(error)
        except Stopped:
            raise
        except Exception as error:  # whatever a method or a library raises: the other trials still run
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
        else:
            return ""
    return reason


def units() -> list[str]:
    """Return the units of the study, each a task and a seed.

    Raises:
        UserError: if params.yaml has no study, or an invalid one.
    """
    asked = tasks.each(loader.load(), artifacts.PARAMS)
    return [f"{task}{AT}{seed}" for task, p in asked.items() for seed in (p.study.seeds if p.study else ())]


if __name__ == "__main__":
    main("study.worker", part, named=units)
