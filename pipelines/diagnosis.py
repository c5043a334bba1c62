"""diagnosis: bring the stage diagnose up to date, with what it needs, print what it found, and tell MLflow."""

from __future__ import annotations

import sys

from pipelines import params, plan, report_diagnosis, tracking, workspace
from pipelines.artifacts import DIAGNOSIS, read_json
from pipelines.stage import FAILED, main
from pipelines.workspace import StageFailedError

STAGE = "diagnose"


def diagnosis() -> int:
    """Run what is stale up to the diagnosis, publish and print it, and return the exit status."""
    plan.files_of(params.load())
    workspace.release_the_dead()
    try:
        _run()
    except StageFailedError as error:
        sys.stderr.write(f"winnow: {error}\n")
        return FAILED
    tracking.publish()
    report_diagnosis.show(read_json(DIAGNOSIS / "diagnosis.json"))
    return 0


def _run() -> None:
    """Run the stages up to the diagnosis that are stale."""
    if "plan" in workspace.stale():
        workspace.reproduce("plan")
    stale, needs, ran = workspace.stale(), workspace.depends_on(), set[str]()
    for stage in [*workspace.before(STAGE), STAGE]:
        if stage in stale or not needs[stage].isdisjoint(ran):
            # What the stage says of itself is said below, also where DVC restores it.
            workspace.reproduce(stage, said=_unsaid if stage == STAGE else None)
            ran.add(stage)


def _unsaid(line: str) -> None:
    pass


if __name__ == "__main__":
    main("flow", diagnosis)
