"""subset@m: selects the method m's subset by its warm-up's score table; without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.costs.clock import Clock
from components.rng import stream
from components.selection.common import choose
from pipelines.config.methods import build
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import MethodPlan, TrainingPlan, WarmUpPlan
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import plan_of, result
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest

if TYPE_CHECKING:
    from components.selection.selector import Selector


def subset(name: str, root: Path = artifacts.HERE) -> None:
    """Write the selected subset of the method ``name``, best first, in the folder ``root``."""
    clock = Clock()
    plan = MethodPlan.read(root / plan_of("methods", name))
    path = root / result("warm_up", plan.warm_up, "scores.parquet")
    with clock.lap("select"):
        scores, facts = tables.open_table(path)
        manifest = Manifest.prepared(root)
        params = artifacts.digest(TrainingPlan.read(root / plan_of("training")).dumped())
        warm_up = WarmUpPlan.read(root / plan_of("warm_ups", plan.warm_up))
        artifacts.check_origin(path, facts, {"data": manifest.content, "params": params, "warm_up": warm_up.dumped()})
        selector = build(plan.members)
        _check_classes(selector, name, manifest)
        try:
            chosen = selector.select(scores, stream(plan.seed, "subset"))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
        kept = np.flatnonzero(chosen.weight > 0)
        best = choose.best_first(chosen.score[kept])
        columns = {
            "id": scores.at("id", kept)[best],
            "weight": chosen.weight[kept][best],
            "score": chosen.score[kept][best],
            "rank": np.arange(len(best), dtype=np.int64),
        }
    origin: dict[str, object] = {k: facts[k] for k in ("seed", "data", "params", "checkpoint")}
    origin |= {"method": plan.dumped()["members"], "scores": facts["content"], "examples": len(chosen.weight)}
    tables.write_table(root / result("subset", name, "subset.parquet"), columns, origin)
    CostRecord.timed(clock).write(root / artifacts.cost_of("subset", name))


def _check_classes(selector: Selector, name: str, manifest: Manifest) -> None:
    """Refuse a method that cannot work with the training split's classes."""
    try:
        if manifest.by_class is not None:
            selector.check_classes(dict(zip(manifest.classes, manifest.by_class.train, strict=True)))
    except ValueError as error:
        raise UserError(f"params.yaml: methods.{name}: {error}") from None


if __name__ == "__main__":
    main("subset", subset, named=artifacts.planned_methods, before=check_plan)
