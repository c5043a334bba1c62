"""params.yaml as a typed record."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from components.costs.savings import AGOT_EPSILON
from pipelines.config.schema.sections import Advise, Diagnose, Energy, Name, Pools, Section, Seed, Study, Tracking
from pipelines.config.schema.task import Task
from pipelines.config.schema.warm_up import WarmUp


class Params(Section):
    """The whole of params.yaml."""

    task: Name
    seed: Seed
    compare: dict[Name, Name]
    warm_ups: dict[Name, WarmUp]
    methods: dict[Name, dict[str, Any] | list[Name]]
    agot_epsilon: Annotated[float, Field(gt=0, le=1)] = AGOT_EPSILON
    energy: Energy
    tasks: dict[Name, Task]
    study: Study | None = None
    advise: Advise | None = None
    tracking: Tracking = Tracking()
    diagnose: Diagnose
    pools: Pools = Pools(default="cpu-pool", warm_up="gpu-pool", train="gpu-pool")

    @property
    def chosen(self) -> Task:
        """The task to train on."""
        return self.tasks[self.task]
