"""Whether the plan is of params.yaml as it is now: a stage that is run by itself goes by the plan."""

from __future__ import annotations

from pathlib import Path

from pipelines import artifacts
from pipelines.errors import UserError
from pipelines.params import FILE, Params, load
from pipelines.progress import say

#: The sections that the plan is made of; dvc.yaml names the same ones.
PLANNED = ("task", "seed", "compare", "warm_ups", "methods", "diagnose", "agot_epsilon", "energy", "tasks")
#: Holds what was found to be the same last, so that reading params.yaml is not repeated by every stage.
SEEN = artifacts.SCRATCH / "plan-seen"


def source_of(params: Params) -> dict[str, str]:
    """Return what a plan says of the params that it was made from."""
    return {"params": artifacts.digest(params.model_dump(mode="json", by_alias=True, include=set(PLANNED)))}


def check() -> None:
    """Say so where params.yaml is not what the plan was made from."""
    path = artifacts.plan_of("source")
    if not (path.exists() and FILE.exists()):
        return
    planned = artifacts.read_json(path)
    now = f"{artifacts.digest_of(FILE)} {planned['params']}"
    if SEEN.exists() and SEEN.read_text(encoding="utf-8") == now:
        return
    if _same(planned):
        SEEN.parent.mkdir(parents=True, exist_ok=True)
        SEEN.write_text(now, encoding="utf-8")
        return
    say("params.yaml was changed after the plan was made, which is what is run; 'python -m pipelines.plan' reads it again")


def _same(planned: dict[str, str]) -> bool:
    try:
        return source_of(load(Path(FILE))) == planned
    except UserError:
        return False
