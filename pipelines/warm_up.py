"""warm_up@w: train on everything for a while, and say of every example what was seen of it."""

from __future__ import annotations

from components.selection import METHODS
from pipelines import artifacts
from pipelines.artifacts import plan_of, result
from pipelines.stage import main

#: The columns of a score table, beside the id; the ledger says what they mean.
SCORES = ("loss", "change", "el2n", "margin", "gradient_norm", "correct", "forgotten", "seen")


def warm_up(name: str) -> None:
    """Write the score table and the state of the warm-up ``name``."""
    from pipelines.checkpoints import pack
    from pipelines.running import Job, provenance

    plan = artifacts.read_json(plan_of("warm_ups", name))
    by_looks = plan["scores_in"] == "eval"
    job = Job("warm_up", name, METHODS["full"](), looks_only=by_looks)
    job.run(plan["epochs"], [plan, provenance(job)], sweep=by_looks)
    numbers, tensors = pack(job.training, job.records)
    origin, path = provenance(job, warm_up=plan), result("warm_up", name, "state.safetensors")
    artifacts.write_state(path, numbers | {"origin": origin}, tensors)
    columns = {"id": job.split.ids, **{c: job.training.ledger.column(c) for c in SCORES}}
    origin |= {"checkpoint": artifacts.digest_of(path)}
    artifacts.write_table(result("warm_up", name, "scores.parquet"), columns, origin)
    artifacts.write_json(result("warm_up", name, "history.json"), job.history())
    job.finish()


def names() -> list[str]:
    """Return the warm-ups that are planned."""
    return sorted(p.stem for p in (artifacts.PLAN / "warm_ups").glob("*.json"))


if __name__ == "__main__":
    main("warm_up", warm_up, named=names)
