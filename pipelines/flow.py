"""flow: runs all stale stages on this machine, retries failures, publishes results."""

from __future__ import annotations

import sys
from contextlib import nullcontext

from pipelines import compare
from pipelines.config import loader, planning
from pipelines.config.schema.task import Task
from pipelines.core import python_gc
from pipelines.core.command import BAD_INPUT, FAILED, STOPPED
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.core.locks import alone
from pipelines.core.progress import log_line
from pipelines.core.signals import interrupt_on_signals
from pipelines.flows.comparison import run_comparison
from pipelines.flows.prefect_server import server
from pipelines.flows.stages_at_once import stages_at_once
from pipelines.flows.warm_start import warm_start
from pipelines.processes import machine
from pipelines.tracking import comparison as tracking
from pipelines.versioning import dvc_project


def _run(task: Task) -> list[str]:
    with nullcontext() if machine.may_train_on_gpu() else warm_start(task.model.family), server(meanwhile=tracking.reach):
        return run_comparison(stages_at_once(task.training))


def main() -> int:
    """Run the flow in this working copy, print the comparison, and return the exit status."""
    python_gc.spare(loading=False)
    interrupt_on_signals()
    try:
        with alone("flow"):
            params = loader.load()
            planning.plans_of(params)
            log_line("winnow: params.yaml is valid; asking DVC which stages are stale")
            dvc_project.release_the_dead()
            ran = _run(params.chosen) if dvc_project.stale() else []
            tracking.publish()
            if "compare" not in ran:
                sys.stderr.write("winnow: nothing had changed; this is the last comparison\n")
                compare.show()
    except UserError as error:
        return _report_end(str(error), BAD_INPUT)
    except StageFailedError as error:
        return _report_end(str(error), FAILED)
    except (Stopped, KeyboardInterrupt):
        return _report_end("stopped; the next call goes on from here", STOPPED)
    return 0


def _report_end(text: str, code: int) -> int:
    sys.stderr.write(f"winnow: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
