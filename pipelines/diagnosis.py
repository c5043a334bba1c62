"""diagnosis: runs the stage diagnose with its dependencies, prints and publishes the findings."""

from __future__ import annotations

import sys

from pipelines.config import loader, planning
from pipelines.core.command import FAILED, main
from pipelines.core.errors import StageFailedError
from pipelines.core.signals import interrupt_on_signals
from pipelines.data.findings.records import Findings
from pipelines.report import diagnosis as report_diagnosis
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project

STAGE = "diagnose"


def diagnosis() -> int:
    """Run the stale stages up to the diagnosis, publish and print it; return the exit status."""
    interrupt_on_signals()
    planning.plans_of(loader.load())
    dvc_project.release_the_dead()
    try:
        _run()
    except StageFailedError as error:
        sys.stderr.write(f"winnow: {error}\n")
        return FAILED
    tracking.publish()
    report_diagnosis.show(Findings.written())
    return 0


def _run() -> None:
    """Run the stale stages up to the diagnosis."""
    if "plan" in dvc_project.stale():
        dvc_project.reproduce("plan")
    stale, needs, ran = dvc_project.stale(), dvc_project.depends_on(), set[str]()
    for stage in [*dvc_project.before(STAGE), STAGE]:
        if stage in stale or not needs[stage].isdisjoint(ran):
            # The caller prints the findings, also if DVC restores them, so the stage's own output is dropped.
            dvc_project.reproduce(stage, said=_drop if stage == STAGE else None)
            ran.add(stage)


def _drop(line: str) -> None:
    pass


if __name__ == "__main__":
    main("flow", diagnosis)
