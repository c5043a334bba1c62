"""Number of stages that a flow runs at once on this machine."""

from __future__ import annotations

from pipelines.config.schema.training import Training
from pipelines.core.environment import STAGES
from pipelines.processes import machine

#: Memory that each of several stages must find, in GiB.
STAGE_GIB = 4


def stages_at_once(training: Training) -> int:
    """Return ``WINNOW_STAGES``; if unset, as many as there are cores and memory for, but one where they may share a GPU."""
    if STAGES.is_set:
        return STAGES.value()
    if machine.may_train_on_gpu():
        return 1
    return max(1, min(machine.cores() // (training.threads * training.devices), int(machine.free_gib() // STAGE_GIB)))
