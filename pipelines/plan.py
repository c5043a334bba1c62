"""plan: params.yaml, checked and resolved, as one file for each dependency.

A stage depends on its own part alone, so that changing one method's block makes only that method's stages stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.config.loader import load
from pipelines.config.params import Params
from pipelines.config.planning import plans_of, starts, write
from pipelines.config.plans import Plans
from pipelines.core.command import main
from pipelines.core.progress import log_line


def _summary_lines(params: Params, plans: Plans) -> Iterator[str]:
    """Yield a line on the total cost, and one on each warm-up's cost and its methods."""
    costs = {n: w.start_epoch + w.extra for n, w in params.warm_ups.items() if w.start_epoch + w.extra and starts(params, n)}
    own = [m.planned_cost - costs.get(m.warm_up, 0) for m in plans.methods.values()]
    total, full = sum(own) + sum(costs.values()), plans.methods["full"].planned_cost
    counted = f"{_count(params.compare, 'method')} and {_count(costs, 'warm-up')}"
    yield f"plan: {counted}: {total:.3g} epochs, {total / full:.3g} times full"
    parts = [f"{name}, {cost:.3g} epochs, for {', '.join(starts(params, name))}" for name, cost in costs.items()]
    unneeded = [name for name in params.warm_ups if not starts(params, name)]
    parts += [f"not run, since no method starts from them: {', '.join(unneeded)}"] if unneeded else []
    if parts:
        yield f"plan: warm-ups: {'; '.join(parts)}"


def _count(items: Collection[str], name: str) -> str:
    return f"{len(items)} {name}{'s' * (len(items) != 1)}"


def plan() -> None:
    """Write all plans that params.yaml requires, and log their costs."""
    params = load()
    plans = plans_of(params)
    write(plans)
    for line in _summary_lines(params, plans):
        log_line(line)


if __name__ == "__main__":
    main("plan", plan)
