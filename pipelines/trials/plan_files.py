"""Plan files and folder of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines.config import planning
from pipelines.config.params import Params
from pipelines.config.plans import Plans
from pipelines.core import artifacts
from pipelines.core.artifacts import SCRATCH, digest
from pipelines.trials import controls
from pipelines.trials.grid import Grid
from pipelines.trials.study_folder import DATA, StudyFolder
from pipelines.versioning.dvc_lock import code_of, md5_of

STUDIES = SCRATCH / "study"
#: Stages whose code affects the results; that of ``plan`` only through the plan files.
DECIDING = ("prepare", "warm_up", "subset", "train", "evaluate")
#: Keys of a source that hold a path.
PATHS = {"train", "test", "validation", "folder"}


def lay_out(params: Params, grid: Grid) -> StudyFolder:
    """Write a study's plans and return its folder, named by a digest of its inputs."""
    assert params.study is not None
    seeds = tuple(params.study.seeds)
    plans = {seed: _plans(grid.params, seed) for seed in seeds}
    first = plans[seeds[0]]
    settings = {k: v for k, v in first.training.dumped().items() if k != "seed"}
    code = {str(p): artifacts.digest_of(p) for p in _sources(code_of(DECIDING))}
    key = digest([first.task.dumped(), settings, grid.params.energy.country, code, _files_named(params)])
    study = StudyFolder(STUDIES / key[:16], grid, seeds)
    first.task.write(study.path / DATA / artifacts.plan_of("task"))
    for seed in seeds:
        planning.write(plans[seed], study.of(seed) / artifacts.PLAN)
        for trial in grid.trials:
            if trial.after and study.is_done(seed, trial.after):
                controls.plan_after(study, seed, trial)
    return study


def _sources(paths: list[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _files_named(params: Params) -> dict[str, str | None]:
    """Return the hashes of the data's local files and folders, which may be edited."""
    source = params.chosen.source.model_dump()
    named = [Path(source[key]) for key in PATHS & set(source) if source[key] is not None]
    return {str(path): md5_of(path) for path in sorted(named) if not path.is_absolute()}


def _plans(params: Params, seed: int) -> Plans:
    """Return the plans of all trials with ``seed``; the data keep the seed of params.yaml."""
    plans = planning.plans_of(params.model_copy(update={"seed": seed}))
    return replace(plans, task=plans.task.model_copy(update={"seed": params.seed}))
