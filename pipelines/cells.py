"""A study's cells, each trained once: the stages' own functions, in one process, in a folder of their own.

A process a stage would take longer than a small training. What was done is remembered stage by stage, by a mark that holds the
digest of everything that only this stage depends on; what all stages depend on names the folder. DVC knows nothing of it.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import artifacts, controls
from pipelines.artifacts import PREPARED, SCRATCH, cost_of, digest, plan_of, read_json, result
from pipelines.errors import UserError
from pipelines.grid import Grid
from pipelines.stage import STOP, Stopped

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
            return plan_of("methods", name).exists() and all(is_marked(address, key) for address, key, _ in steps(name))


def run(place: Place, seed: int, name: str) -> None:
    """Bring the cell ``name`` with ``seed`` to its end, from where an earlier call left it.

    Raises:
        Stopped: after SIGINT or SIGTERM, with a checkpoint written.
        UserError: for what cannot work, paths as in params.yaml; for a control of a cell that has no results.
    """
    from pipelines.progress import quiet

    if (cache := os.environ.get("WINNOW_CACHE")) is not None:
        os.environ["WINNOW_CACHE"] = str(Path(cache).resolve())
    with _named_from_above(), quiet():
        _prepare(place)
        folder = place.of(seed)
        link_data(folder)
        if (cell := place.grid[name]).after:
            if not place.done(seed, cell.after):
                raise UserError(f"{name}: costs what {cell.after} does, which has no results with seed {seed}")
            controls.plan_after(place, seed, cell)
        with chdir(folder):
            for address, key, work in steps(name):
                _once(address, key, work)
            # A study keeps no models: a hundred of them would fill a disk.
            shutil.rmtree(result("train", name, "model"), ignore_errors=True)
        gc.collect()  # a model and what it holds may refer to each other, and kept states are large


@contextmanager
def _named_from_above() -> Iterator[None]:
    """Let an error name files as params.yaml does."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{UP}/", "")) from None


def _prepare(place: Place) -> None:
    """Prepare the data, once for all seeds."""
    from pipelines.prepare import prepare

    with chdir(place.folder / DATA):
        _once("prepare", data_key(), prepare)


def data_key() -> str:
    """Return the digest of what the data in this folder depend on."""
    return digest(read_json(plan_of("task")))


def link_data(folder: Path) -> None:
    """Let the study's data be seen from the folder of a seed."""
    for path in (PREPARED, cost_of("prepare")):
        link = folder / path
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(*[".."] * len(path.parts)) / DATA / path)


def steps(name: str) -> list[tuple[str, str, Callable[[], None]]]:
    """Return the steps to the end of a cell that is planned here, each: address, digest of what it depends on, work."""
    planned = read_json(plan_of("methods", name))
    start = planned["warm_up"]
    warmed = read_json(plan_of("warm_ups", start))
    seed = planned["seed"]
    own = digest([planned, warmed])
    return [
        (f"warm_up@{start}", digest([seed, warmed]), lambda: _warm_up(start)),
        (f"train@{name}", own, lambda: _train(name)),
        (f"evaluate@{name}", own, lambda: _evaluate(name)),
    ]


def _warm_up(name: str) -> None:
    from pipelines.warm_up import warm_up

    warm_up(name)


def _train(name: str) -> None:
    from pipelines.subset import subset
    from pipelines.train import train

    subset(name)
    train(name)


def _evaluate(name: str) -> None:
    from pipelines.evaluate import evaluate

    evaluate(name)


def mark_of(address: str) -> Path:
    """Return where it is marked that the step at ``address`` is done, by the digest of what it depends on."""
    return SCRATCH / "done" / f"{address}.json"


def is_marked(address: str, key: str) -> bool:
    """Return whether a step is done with what it depends on now."""
    path = mark_of(address)
    return path.exists() and read_json(path) == key


def _once(address: str, key: str, work: Callable[[], None]) -> None:
    """Do ``work`` where its mark is not there; while it is done there is no mark, since files of two settings may lie about."""
    if is_marked(address, key):
        return
    if STOP.is_set():
        raise Stopped
    mark_of(address).unlink(missing_ok=True)
    work()
    artifacts.write_json(mark_of(address), key)


def account(place: Place, seed: int) -> dict[str, Any]:
    """Return the account of the cells that are done with ``seed``; it needs ``full``, and is empty without."""
    from pipelines.account import account as settle

    names = [c.name for c in place.grid.cells if place.done(seed, c.name)]
    if "full" not in names:
        return {}
    with chdir(place.of(seed)):
        asked = read_json(plan_of("comparison"))
        artifacts.write_json(plan_of("comparison"), asked | {"methods": names})
        settle()
        return dict(read_json(artifacts.ACCOUNT))
