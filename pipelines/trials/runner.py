"""Runs a trial: the stages' own functions, in one process and folder.

A process a stage would take longer than a small training. What was done is remembered stage by stage, by a mark that holds the
digest of everything that only this stage depends on; what all stages depend on names the folder. DVC knows nothing of it.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path

from pipelines.config.plans import ComparisonPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, result
from pipelines.core.environment import CACHE
from pipelines.core.errors import Stopped, UserError
from pipelines.core.signals import STOP
from pipelines.costs.account import Account, MethodAccount
from pipelines.trials import controls
from pipelines.trials.folder import DATA, UP, Place, data_key, is_marked, link_data, mark_of, steps


def run(place: Place, seed: int, name: str) -> None:
    """Bring the cell ``name`` with ``seed`` to its end, from where an earlier call left it.

    Raises:
        Stopped: after SIGINT or SIGTERM, with a checkpoint written.
        UserError: for what cannot work, paths as in params.yaml; for a control of a cell that has no results.
    """
    from pipelines.core.progress import quiet

    if CACHE.is_set:
        CACHE.set(str(Path(CACHE.value()).resolve()))
    with _named_from_above(), quiet():
        _prepare(place)
        folder = place.of(seed)
        link_data(folder)
        if (cell := place.grid[name]).after:
            if not place.done(seed, cell.after):
                raise UserError(f"{name} is a control at the cost of {cell.after}, which has no results for seed {seed}")
            controls.plan_after(place, seed, cell)
        with chdir(folder):
            for address, key in steps(name):
                _once(address, key, partial(_work, address))
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


def _work(address: str) -> None:
    """Run the stages of one of a cell's ``steps``."""
    stage, _, name = address.partition("@")
    {"warm_up": _warm_up, "train": _train, "evaluate": _evaluate}[stage](name)


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


def _once(address: str, key: str, work: Callable[[], None]) -> None:
    """Run ``work`` unless its marker matches; it is removed first, so that an interrupted run never counts as done."""
    if is_marked(address, key):
        return
    if STOP.is_set():
        raise Stopped
    mark_of(address).unlink(missing_ok=True)
    work()
    artifacts.write_json(mark_of(address), key)


def account(place: Place, seed: int) -> dict[str, MethodAccount]:
    """Return the accounts of the cells that are done with ``seed``, by name; they need ``full``, and there is none without."""
    from pipelines.account import account as settle

    names = [c.name for c in place.grid.cells if place.done(seed, c.name)]
    if "full" not in names:
        return {}
    with chdir(place.of(seed)):
        asked = ComparisonPlan.read(plan_of("comparison"))
        asked.model_copy(update={"methods": names}).write(plan_of("comparison"))
        settle()
        return Account.settled().methods
