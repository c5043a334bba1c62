"""Warning where params.yaml was changed after the plan was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.core.progress import log_line

if TYPE_CHECKING:
    from pipelines.config.params import Params
    from pipelines.config.plans import PlanSource

#: The sections that the plan is made of; dvc.yaml names the same ones.
PLANNED = ("task", "seed", "compare", "warm_ups", "methods", "diagnose", "agot_epsilon", "energy", "tasks")
#: Holds what was found to be the same last, so that reading params.yaml is not repeated by every stage.
SEEN = artifacts.SCRATCH / "plan-seen"


def source_of(params: Params) -> PlanSource:
    """Return what a plan says of the params that it was made from."""
    from pipelines.config.plans import PlanSource

    return PlanSource(params=artifacts.digest(params.model_dump(mode="json", by_alias=True, include=set(PLANNED))))


def check_plan() -> None:
    """Say so where params.yaml is not what the plan was made from."""
    path = artifacts.plan_of("source")
    if not (path.exists() and artifacts.PARAMS.exists()):
        return
    planned = artifacts.read_json(path)
    now = f"{artifacts.digest_of(artifacts.PARAMS)} {planned['params']}"
    if SEEN.exists() and SEEN.read_text(encoding="utf-8") == now:
        return
    if _same(planned):
        SEEN.parent.mkdir(parents=True, exist_ok=True)
        SEEN.write_text(now, encoding="utf-8")
        return
    log_line("params.yaml was changed after the plan was made, which is what is run; 'python -m pipelines.plan' reads it again")


def _same(planned: dict[str, str]) -> bool:
    # Not above: a stage whose plan was looked at before reads no params.yaml.
    from pipelines.config.loader import load

    try:
        return source_of(load(artifacts.PARAMS)).dumped() == planned
    except UserError:
        return False
