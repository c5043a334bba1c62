"""Runs a trial: the stages' own functions, in one process and one folder.

Starting a process for each stage would take longer than a small training. Each completed stage has a marker with a digest of
the stage's own dependencies; the dependencies of all stages are in the folder's name. DVC is not involved.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipelines.config.plans import ComparisonPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, result
from pipelines.core.errors import Stopped, UserError
from pipelines.core.signals import STOP
from pipelines.costs.account import Account, MethodAccount
from pipelines.trials import controls
from pipelines.trials.study_folder import DATA, StudyFolder, data_key, is_marked, link_data, mark_of, steps


def run(study: StudyFolder, seed: int, name: str) -> None:
    """Run a trial to its end, resuming an interrupted one.

    Raises:
        Stopped: after SIGINT or SIGTERM, with a checkpoint written.
        UserError: for an invalid setting, named by its path in params.yaml; for a control of a trial without results.
    """
    from pipelines.core.progress import quiet

    with quiet():
        _prepare(study)
        root = study.of(seed)
        link_data(root)
        if (trial := study.grid[name]).after:
            if not study.is_done(seed, trial.after):
                raise UserError(f"{name} is a control at the cost of {trial.after}, which has no results for seed {seed}")
            controls.plan_after(study, seed, trial)
        for address, key in steps(root, name):
            _once(root, address, key, partial(_work, address, root))
        # A study keeps no models: a hundred of them would fill a disk.
        shutil.rmtree(root / result("train", name, "model"), ignore_errors=True)
        gc.collect()  # a model may be in a reference cycle, and cached states are large


def _prepare(study: StudyFolder) -> None:
    """Prepare the data, once for all seeds."""
    from pipelines.prepare import prepare

    root = study.path / DATA
    _once(root, "prepare", data_key(root), partial(prepare, root))


def _work(address: str, root: Path) -> None:
    """Run the stages of one step of a trial."""
    stage, _, name = address.partition("@")
    {"warm_up": _warm_up, "train": _train, "evaluate": _evaluate}[stage](name, root)


def _warm_up(name: str, root: Path) -> None:
    from pipelines.warm_up import warm_up

    warm_up(name, root)


def _train(name: str, root: Path) -> None:
    from pipelines.subset import subset
    from pipelines.train import train

    subset(name, root)
    train(name, root)


def _evaluate(name: str, root: Path) -> None:
    from pipelines.evaluate import evaluate

    evaluate(name, root)


def _once(root: Path, address: str, key: str, work: Callable[[], None]) -> None:
    """Run ``work`` unless its marker matches.

    The marker is removed first, so that an interrupted run never counts as done.
    """
    if is_marked(root, address, key):
        return
    if STOP.is_set():
        raise Stopped
    mark = root / mark_of(address)
    mark.unlink(missing_ok=True)
    work()
    artifacts.write_json(mark, key)


def account(study: StudyFolder, seed: int) -> dict[str, MethodAccount]:
    """Return the accounts of the completed trials with ``seed``, by name; empty without ``full``."""
    from pipelines.account import account as settle

    names = [c.name for c in study.grid.trials if study.is_done(seed, c.name)]
    if "full" not in names:
        return {}
    root = study.of(seed)
    path = root / plan_of("comparison")
    ComparisonPlan.read(path).model_copy(update={"methods": names}).write(path)
    settle(root)
    return Account.settled(root).methods
