"""warm_up@w: trains on all examples for some epochs, and scores each of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import TrainingPlan, WarmUpPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, result
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.costs.history import write_history
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest
from pipelines.training import launcher

if TYPE_CHECKING:
    from components.arrays import Array
    from pipelines.config.schema.warm_up import Proxy
    from pipelines.training.job import Job
    from pipelines.training.plan_changes import Substitute

#: The columns of a score table, beside the id; the ledger documents them.
SCORES = ("loss", "change", "el2n", "margin", "margin_mean", "gradient_norm", "correct", "predicted", "forgotten", "seen")


def warm_up(name: str, root: Path = artifacts.HERE) -> None:
    """Write the score table and the state of the warm-up ``name``, in the folder ``root``."""
    if launcher.started("warm_up", name, root):
        return
    plan = WarmUpPlan.read(root / plan_of("warm_ups", name))
    if not plan.needed:
        _nothing(name, root)
    elif plan.proxy:
        _proxy(name, plan, plan.proxy, root)
    elif plan.holdout:
        _holdout(name, plan, plan.holdout, root)
    elif plan.fake_class:
        _fake_class(name, plan, root)
    elif plan.nearness:
        _nearness(name, plan, root)
    else:
        _own(name, plan, root)


def _nothing(name: str, root: Path) -> None:
    """Write empty outputs for DVC: no method starts from this warm-up."""
    for file in ("scores.parquet", "state.safetensors"):
        with artifacts.whole(root / result("warm_up", name, file)) as part:
            part.touch()
    write_history(root / result("warm_up", name, "history.json"), [])
    CostRecord(laps={}).write(root / artifacts.cost_of("warm_up", name))


def _own(name: str, plan: WarmUpPlan, root: Path) -> None:
    """Train the task's model, and write the state from which methods continue."""
    from components.selection.selector import Selector
    from pipelines.training.job import Job

    by_looks = plan.scores_in == "eval"
    job = Job("warm_up", name, Selector(), looks_only=by_looks, root=root)
    job.judge(final=False)
    job.run(plan.epochs, _inputs(job, plan), sweep_every=int(by_looks))
    _write_state(job, plan)
    _write_scores(job, plan, None, {})


def _inputs(job: Job, plan: WarmUpPlan) -> list[object]:
    """Return all inputs of the job's result."""
    from pipelines.training.job import provenance

    return [plan.dumped(), provenance(job)]


def _holdout(name: str, plan: WarmUpPlan, fraction: float, root: Path) -> None:
    """Train on the holdout alone: methods start from scratch, and use only this model's losses."""
    from components.selection.draw.holdout_only import Holdout
    from pipelines.training.job import Job

    seed = TrainingPlan.read(root / plan_of("training")).seed
    holdout = Holdout(fraction, int(plan.epochs), seed)
    job = Job("warm_up", name, holdout, looks_only=True, root=root)
    _write_state(job, plan)
    job.run(plan.epochs, _inputs(job, plan), sweep_every=holdout.epochs)
    _write_scores(job, plan, _digest_of(job), {"holdout": holdout.held(len(job.split.ids))})


def _proxy(name: str, plan: WarmUpPlan, proxy: Proxy, root: Path) -> None:
    """Train the proxy on all examples with a full decay, and rank them; methods start from scratch."""
    from components.engine.proxy_ranking import rank
    from components.selection.draw.short import Short
    from components.selection.selector import Selector
    from pipelines.training.job import Job

    start = Job("warm_up", name, Selector(), root=root)
    _write_state(start, plan)
    job = Job("warm_up", name, Short(plan.epochs), instead=_settings(name, proxy, start.plan), root=root)
    job.run(plan.epochs, _inputs(job, plan))
    with job.metered():
        ranked = rank(job.training)
    _write_scores(job, plan, _digest_of(job), ranked)


def _fake_class(name: str, plan: WarmUpPlan, root: Path) -> None:
    """Train a model with an extra class of random rows, which look like wrong labels."""
    import numpy as np

    from components.rng import stream
    from components.selection.draw.short import Short
    from components.selection.selector import Selector
    from pipelines.training.job import Job
    from pipelines.training.plan_changes import Substitute

    manifest = Manifest.prepared(root)
    classes = len(manifest.classes)
    if classes < 3:
        count = f"{classes} classes" if classes else "no classes"
        raise UserError(
            f"params.yaml: warm_ups.{name}.fake_class: must be false for a task of fewer than 3 classes, where a third of the "
            f"rows or more would be fake; '{manifest.task}' has {count}"
        )
    start = Job("warm_up", name, Selector(), root=root)
    _write_state(start, plan)
    rows = len(start.split.ids)
    fake = stream(start.plan.seed, "fake class").permutation(rows) < rows // (classes + 1)
    target = np.where(fake, classes, start.split.examples.target)
    training = start.plan.training.model_copy(update={"keep_frozen": False})
    other = Substitute(target=target, classes=[*manifest.classes, "(fake)"], training=training)
    job = Job("warm_up", name, Short(plan.epochs), instead=other, root=root)
    job.run(plan.epochs, _inputs(job, plan))
    _write_scores(job, plan, _digest_of(job), {"fake": fake})


def _nearness(name: str, plan: WarmUpPlan, root: Path) -> None:
    """Compare every example with the target set; nothing is trained, and methods start from scratch."""
    from components.evidence import nearness
    from components.selection.selector import Selector
    from components.tasks.text import Texts
    from pipelines.training.job import Job

    job = Job("warm_up", name, Selector(), root=root)
    _write_state(job, plan)
    job.run(0, _inputs(job, plan))
    aimed = job.split.table["target"].to_numpy()
    with job.metered(), job.training.clock.lap("train"):
        if plan.nearness == "features":
            near = nearness.by_features(_features(job), aimed)
        elif isinstance(job.split.examples, Texts):
            near = nearness.by_ngrams(job.split.examples.tokens, job.split.examples.offsets, aimed)
        else:
            near = nearness.by_bags(job.split.examples.bags, aimed)
    _write_scores(job, plan, _digest_of(job), {"target": aimed, "nearness": near})


def _features(job: Job) -> Array:
    """Return the inputs ``(N, d)`` of the model's last layer, before any training.

    If the frozen part's states are stored, the features are a text's mean state, which needs a forward pass of that part alone.

    Raises:
        UserError: for a model whose last layer does not get one vector per example.
    """
    from components.engine.proxy_ranking import rank

    if job.keeping is not None:
        job.keeping.compute(job.training.clock)
        return job.keeping.examples.means()
    found = rank(job.training).get("features")
    if found is None:
        raise UserError(f"warm_ups.{job.name}.nearness: the model's last layer does not get one vector per example; use ngrams")
    return found


def _settings(name: str, proxy: Proxy, plan: TrainingPlan) -> Substitute:
    """Return the proxy's own settings, uncompiled, since a hook must see its last layer."""
    from pipelines.training.plan_changes import Substitute

    own = {"optimizer": proxy.optimizer} if proxy.optimizer else {}
    training = plan.training.model_copy(update={"compile": False, "keep_frozen": False, **own})
    return Substitute(model=proxy.model, model_key=f"warm_ups.{name}.proxy.model", training=training)


def _write_scores(job: Job, plan: WarmUpPlan, checkpoint: str | None, more: dict[str, Array]) -> None:
    """Write the score table, with ``more`` columns of its kind, the history and the cost.

    ``checkpoint`` is the digest of the scoring model; None for the state that was written.
    """
    from pipelines.core import tables
    from pipelines.training.job import provenance

    if not job.gather_costs():
        return
    checkpoint = checkpoint or artifacts.digest_of(_state_of(job))
    columns = {"id": job.split.ids, **{c: job.training.ledger.column(c) for c in SCORES}, **more}
    origin = provenance(job, checkpoint=checkpoint, warm_up=plan.dumped())
    tables.write_table(job.root / result("warm_up", job.name, "scores.parquet"), columns, origin)
    write_history(job.root / result("warm_up", job.name, "history.json"), job.records)
    job.finish()


def _digest_of(job: Job) -> str:
    """Return the digest of a state that is not written, since no method continues from it."""
    from pipelines.training.checkpoints import pack

    return artifacts.digest_of_columns({k: v.cpu().numpy() for k, v in pack(job.training, [])[1].items()})


def _write_state(job: Job, plan: WarmUpPlan) -> None:
    """Write the state from which methods continue; every rank packs it, the leader writes."""
    from pipelines.training.checkpoints import pack, write_warm_up_state
    from pipelines.training.job import provenance

    state = pack(job.training, job.records)
    if job.ranks.leads:
        write_warm_up_state(_state_of(job), state, provenance(job, warm_up=plan.dumped()))


def _state_of(job: Job) -> Path:
    path: Path = job.root / result("warm_up", job.name, "state.safetensors")
    return path


def names() -> list[str]:
    """Return the names of the planned warm-ups."""
    return sorted(p.stem for p in (artifacts.PLAN / "warm_ups").glob("*.json"))


if __name__ == "__main__":
    main("warm_up", warm_up, named=names, model=True, before=check_plan)
