"""study.collect: gathers the trials that agents shared, and writes tables or what is missing."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import loader
from pipelines.core import artifacts
from pipelines.core.artifacts import read_json
from pipelines.core.command import FAILED, main
from pipelines.core.errors import UserError
from pipelines.study import tasks
from pipelines.study.console import log
from pipelines.study.publish import publish, publish_across_tasks
from pipelines.study.worker import AT
from pipelines.trials import plan_files
from pipelines.trials.exchange import Handover
from pipelines.trials.grid import grid_of
from pipelines.trials.study_folder import StudyFolder

#: Reasons of failed trials, by unit (task and seed) and by name.
Failed = dict[str, dict[str, str]]
#: Key of the reason that holds for every failed trial not listed by name.
REST = ""
NOTHING = "no result in the DVC remote; check that all agents use the same WINNOW_DVC_REMOTE"


def gather(ended: str | None = None) -> int:
    """Restore the shared trials, and write the tables, or which units are still missing.

    Args:
        ended: file with the reasons of failed trials by unit and name, after which the tables are written even if trials are
            missing; None before any unit was sent to an agent.
    """
    read = loader.load()
    asked = tasks.each(read, artifacts.PARAMS)
    studies = {task: plan_files.lay_out(p, grid_of(p)) for task, p in asked.items()}
    handover = Handover()
    for study in studies.values():
        handover.restore(study, *study.seeds)
    missing = [(task, seed) for task, study in studies.items() for seed in sorted({seed for seed, _ in study.missing()})]
    artifacts.write_json(artifacts.UNITS_MISSING, missing)
    if missing and ended is None:
        log(
            f"{len(missing)} of {sum(len(study.seeds) for study in studies.values())} units (task and seed) have missing trials"
        )
        return 0
    failed: Failed = read_json(Path(ended)) if ended else {}
    written = {task: publish(study, task, _reasons(study, task, failed)) for task, study in studies.items()}
    return FAILED if publish_across_tasks(read, artifacts.PARAMS, asked, studies, written) else 0


def _reasons(study: StudyFolder, task: str, failed: Failed) -> dict[tuple[int, str], str]:
    """Return the reasons of a task's missing trials, by seed and name.

    Raises:
        UserError: if even the prepared data are missing, with the first reason.
    """
    found: dict[tuple[int, str], str] = {}
    for seed, name in study.missing():
        reasons = failed.get(f"{task}{AT}{seed}", {})
        found[seed, name] = reasons.get(name) or reasons.get(REST) or NOTHING
    if not study.has_data:
        raise UserError(next(iter(found.values()), f"{task}: the prepared data are missing"))
    return found


if __name__ == "__main__":
    main("study.collect", gather, file=True)
