"""train@m: continues from the warm-up on the examples that the method m selects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from components.selection.selector import Subset
from pipelines.config.methods import build
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import MethodPlan, WarmUpPlan
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import plan_of, result
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.costs.history import write_history
from pipelines.training import launcher

if TYPE_CHECKING:
    from pipelines.training.checkpoints import Tensors, WarmUpFacts
    from pipelines.training.job import Job

#: The columns of a ledger file, beside the id.
LEDGER = (
    "drawn", "looked", "trained", "loss", "seen_by_look", "correct", "forgotten", "margin_mean", "confidence", "variability",
)  # fmt: skip


def train(name: str, root: Path = artifacts.HERE) -> None:
    """Write the model, ledger, history and cost of the method ``name``, in the folder ``root``."""
    from pipelines.training import models
    from pipelines.training.job import provenance

    if launcher.started("train", name, root):
        return
    plan = MethodPlan.read(root / plan_of("methods", name))
    job, inputs = begin(plan, root)
    job.run(None, inputs)
    if not job.gather_costs():
        return
    columns = {"id": job.split.ids, **{c: job.training.ledger.column(c) for c in LEDGER}}
    folder = root / result("train", name, "model")
    artifacts.write_folder(folder, lambda part: models.save(job.model, part, job.plan.model, root / artifacts.TOKENIZER))
    checkpoint = artifacts.digest_of(models.weights_in(folder))
    origin = provenance(job, method=plan.dumped()["members"], checkpoint=checkpoint)
    tables.write_table(root / result("train", name, "ledger.parquet"), columns, origin)
    write_history(root / result("train", name, "history.json"), job.records)
    job.finish()


def begin(plan: MethodPlan, root: Path = artifacts.HERE) -> tuple[Job, list[object]]:
    """Return the planned method's job in its warm-up's state, and all inputs of its result."""
    from pipelines.training.job import Job, provenance

    warm_up = WarmUpPlan.read(root / plan_of("warm_ups", plan.warm_up))
    looks_only = warm_up.scores_in == "eval"
    job = Job("train", plan.name, build(plan.members), first=math.ceil(warm_up.start_epoch), looks_only=looks_only, root=root)
    state, subset = _state(job, plan, warm_up), _subset(job, plan)
    job.begin_from(state)
    job.judge(final=True)
    try:
        job.training.selector.begin(subset, job.training.plan)
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{plan.name}: {error}") from None
    return job, [plan.dumped(), provenance(job), state[0]["origin"], artifacts.digest_of_columns(vars(subset))]


def _state(job: Job, plan: MethodPlan, warm_up: WarmUpPlan) -> tuple[WarmUpFacts, Tensors]:
    """Return the warm-up's state, and check that it was made from the same data and settings."""
    from pipelines.training.checkpoints import read_warm_up_state
    from pipelines.training.job import provenance

    path = job.root / result("warm_up", plan.warm_up, "state.safetensors")
    state = read_warm_up_state(path)
    artifacts.check_origin(path, state[0]["origin"], provenance(job, warm_up=warm_up.dumped()))
    return state


def _subset(job: Job, plan: MethodPlan) -> Subset:
    """Return the selected subset, indexed by position in the training split."""
    from pipelines.training.job import provenance

    path = job.root / result("subset", plan.name, "subset.parquet")
    columns, facts = tables.read_table(path)
    artifacts.check_origin(path, facts, provenance(job, method=plan.dumped()["members"]))
    position = _positions(job.split.ids, columns["id"], path)
    weight, score = (np.zeros(len(job.split.ids), np.float32) for _ in range(2))
    weight[position], score[position] = columns["weight"], columns["score"]
    return Subset(weight, score)


def _positions(ids: Array, chosen: Array, path: object) -> Array:
    order = np.argsort(ids)
    position = order[np.minimum(np.searchsorted(ids, chosen, sorter=order), len(ids) - 1)]
    if (strange := ids[position] != chosen).any():
        raise UserError(f"{path}: id {chosen[strange.argmax()]} is not in the training split; run 'dvc repro'")
    return position


if __name__ == "__main__":
    main("train", train, named=artifacts.planned_methods, model=True, before=check_plan)
