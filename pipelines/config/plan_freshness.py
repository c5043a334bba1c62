"""Warning if params.yaml was changed after the plan was made."""

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
#: File of the digests of the last matching params.yaml and plan, so that not every stage parses params.yaml.
SEEN = artifacts.SCRATCH / "plan-seen"


def source_of(params: Params) -> PlanSource:
    """Return the digest record of the params that a plan is made from."""
    from pipelines.config.plans import PlanSource

    return PlanSource(params=artifacts.digest(params.model_dump(mode="json", by_alias=True, include=set(PLANNED))))


def check_plan() -> None:
    """Log a warning if params.yaml has changed since the plan was made."""
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
    log_line("params.yaml was changed after the plan was made; the old plan is run until 'python -m pipelines.plan' updates it")


def _same(planned: dict[str, str]) -> bool:
    # Imported here: most stages find matching digests in SEEN, and need no loader.
    from pipelines.config.loader import load

    try:
        return source_of(load(artifacts.PARAMS)).dumped() == planned
    except UserError:
        return False
