"""warm_up@w: train on everything for a while, and say of every example what was seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.selection.holdout import Holdout
from components.selection.selector import Selector
from pipelines import artifacts
from pipelines.artifacts import plan_of, result
from pipelines.stage import main

if TYPE_CHECKING:
    from pipelines.running import Job

#: The columns of a score table, beside the id; the ledger says what they mean.
SCORES = ("loss", "change", "el2n", "margin", "gradient_norm", "correct", "forgotten", "seen")


def warm_up(name: str) -> None:
    """Write the score table and the state of the warm-up ``name``."""
    from pipelines.checkpoints import pack
    from pipelines.running import Job, provenance

    plan = artifacts.read_json(plan_of("warm_ups", name))
    seed = artifacts.read_json(plan_of("training"))["seed"]
    holdout = Holdout(plan["holdout"], int(plan["epochs"]), seed) if plan["holdout"] else None
    by_looks = plan["scores_in"] == "eval"
    job = Job("warm_up", name, holdout or Selector(), looks_only=by_looks or holdout is not None)
    state = result("warm_up", name, "state.safetensors")
    if holdout:  # the method starts from nothing: what is trained here only tells it losses
        _write_state(job, state, plan)
    job.run(plan["epochs"], [plan, provenance(job)], sweep_every=holdout.epochs if holdout else int(by_looks))
    if holdout:
        checkpoint = artifacts.digest_of_columns({k: v.cpu().numpy() for k, v in pack(job.training, [])[1].items()})
    else:
        _write_state(job, state, plan)
        checkpoint = artifacts.digest_of(state)
    columns = {"id": job.split.ids, **{c: job.training.ledger.column(c) for c in SCORES}}
    if holdout:
        columns["holdout"] = holdout.held(len(job.split.ids))
    origin = provenance(job, checkpoint=checkpoint, warm_up=plan)
    artifacts.write_table(result("warm_up", name, "scores.parquet"), columns, origin)
    artifacts.write_json(result("warm_up", name, "history.json"), job.history())
    job.finish()


def _write_state(job: Job, path: Path, plan: dict[str, Any]) -> None:
    """Write from where a method's training goes on."""
    from pipelines.checkpoints import pack
    from pipelines.running import provenance

    numbers, tensors = pack(job.training, job.records)
    artifacts.write_state(path, numbers | {"origin": provenance(job, warm_up=plan)}, tensors)


def names() -> list[str]:
    """Return the warm-ups that are planned."""
    return sorted(p.stem for p in (artifacts.PLAN / "warm_ups").glob("*.json"))


if __name__ == "__main__":
    main("warm_up", warm_up, named=names)
