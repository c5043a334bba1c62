"""A study's folder: its trials, and the markers of what was completed."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.plans import MethodPlan, TaskPlan, WarmUpPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import PREPARED, SCRATCH, cost_of, digest, plan_of, read_json
from pipelines.trials.grid import Grid

#: From a study's folder of data, or of a seed, to the project's.
UP = "../../../.."
DATA = "data"


@dataclass(frozen=True)
class Place:
    """Where a study is at home.

    Attributes:
        folder: relative to the project's.
        grid: what is to be run.
        seeds: of training.
    """

    folder: Path
    grid: Grid
    seeds: tuple[int, ...]

    @property
    def has_data(self) -> bool:
        """Whether its data were prepared."""
        return (self.folder / DATA / artifacts.MANIFEST).exists()

    def of(self, seed: int) -> Path:
        """Return the folder in which the stages run with ``seed``."""
        return self.folder / f"seed-{seed}"

    def missing(self) -> list[tuple[int, str]]:
        """Return the cells, by seed and name, that are not done, in the order in which to run them."""
        return [(s, c.name) for s in self.seeds for c in self.grid.cells if not self.done(s, c.name)]

    def done(self, seed: int, name: str) -> bool:
        """Return whether the cell ``name`` was run with ``seed`` and with the settings that it has now."""
        with chdir(self.of(seed)):
            return plan_of("methods", name).exists() and all(is_marked(*step) for step in steps(name))


def steps(name: str) -> list[tuple[str, str]]:
    """Return the steps to the end of a cell that is planned here, each: address, digest of what it depends on."""
    planned = MethodPlan.read(plan_of("methods", name))
    warmed = WarmUpPlan.read(plan_of("warm_ups", planned.warm_up)).dumped()
    own = digest([planned.dumped(), warmed])
    warm_up = f"warm_up@{planned.warm_up}", digest([planned.seed, warmed])
    return [warm_up, (f"train@{name}", own), (f"evaluate@{name}", own)]


def data_key() -> str:
    """Return the digest of what the data in this folder depend on."""
    return digest(TaskPlan.read(plan_of("task")).dumped())


def link_data(folder: Path) -> None:
    """Let the study's data be seen from the folder of a seed."""
    for path in (PREPARED, cost_of("prepare")):
        link = folder / path
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(*[".."] * len(path.parts)) / DATA / path)


def mark_of(address: str) -> Path:
    """Return where it is marked that the step at ``address`` is done, by the digest of what it depends on."""
    return SCRATCH / "done" / f"{address}.json"


def is_marked(address: str, key: str) -> bool:
    """Return whether a step is done with what it depends on now."""
    path = mark_of(address)
    return path.exists() and read_json(path) == key
