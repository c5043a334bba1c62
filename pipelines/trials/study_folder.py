"""A study's folder: its trials, and the markers of what was completed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.config.plans import MethodPlan, TaskPlan, WarmUpPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import PREPARED, SCRATCH, cost_of, digest, plan_of, read_json
from pipelines.trials.grid import Grid

DATA = "data"


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study, with its trials and seeds.

    Attributes:
        path: relative to the project's folder.
        grid: the trials to run.
        seeds: training seeds.
    """

    path: Path
    grid: Grid
    seeds: tuple[int, ...]

    @property
    def has_data(self) -> bool:
        """Whether its data are prepared."""
        return (self.path / DATA / artifacts.MANIFEST).exists()

    def of(self, seed: int) -> Path:
        """Return the folder in which the stages run with ``seed``."""
        return self.path / f"seed-{seed}"

    def missing(self) -> list[tuple[int, str]]:
        """Return the trials to run, by seed and name, in their order."""
        return [(s, c.name) for s in self.seeds for c in self.grid.trials if not self.is_done(s, c.name)]

    def is_done(self, seed: int, name: str) -> bool:
        """Return whether a trial is completed with its current settings."""
        root = self.of(seed)
        planned = (root / plan_of("methods", name)).exists()
        return planned and all(is_marked(root, *step) for step in steps(root, name))


def steps(root: Path, name: str) -> list[tuple[str, str]]:
    """Return the steps of a trial planned in ``root``: addresses, and digests of their dependencies."""
    planned = MethodPlan.read(root / plan_of("methods", name))
    warmed = WarmUpPlan.read(root / plan_of("warm_ups", planned.warm_up)).dumped()
    own = digest([planned.dumped(), warmed])
    warm_up = f"warm_up@{planned.warm_up}", digest([planned.seed, warmed])
    return [warm_up, (f"train@{name}", own), (f"evaluate@{name}", own)]


def data_key(root: Path) -> str:
    """Return the digest of the dependencies of the data in ``root``."""
    return digest(TaskPlan.read(root / plan_of("task")).dumped())


def link_data(folder: Path) -> None:
    """Link the study's data into the folder of a seed."""
    for path in (PREPARED, cost_of("prepare")):
        link = folder / path
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(*[".."] * len(path.parts)) / DATA / path)


def mark_of(address: str) -> Path:
    """Return the path of a step's completion marker, which holds the digest of its dependencies."""
    return SCRATCH / "done" / f"{address}.json"


def is_marked(root: Path, address: str, key: str) -> bool:
    """Return whether a step is completed in ``root`` with its current dependencies."""
    path = root / mark_of(address)
    return path.exists() and read_json(path) == key
