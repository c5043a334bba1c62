"""plan: params.yaml, checked and resolved, as one file for each dependency.

A stage depends on its own part alone, so that changing one method's block makes only that method's stages stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.config.loader import load
from pipelines.config.params import Params
from pipelines.config.planning import plans_of, starts, write
from pipelines.config.plans import MethodPlan, Plans
from pipelines.config.schema.model import Transformer
from pipelines.core.artifacts import cost_of
from pipelines.core.command import main
from pipelines.core.errors import UserError
from pipelines.core.progress import log_line
from pipelines.costs.records import CostRecord, spent
from pipelines.versioning.dvc_lock import Lock


def _summary_lines(params: Params, plans: Plans) -> Iterator[str]:
    """Yield lines on the total cost, its CPU time where a record tells it, the warm-ups, and what of a model is trained."""
    costs = {n: w.start_epoch + w.extra for n, w in params.warm_ups.items() if w.start_epoch + w.extra and starts(params, n)}
    own = [m.planned_cost - costs.get(m.warm_up, 0) for m in plans.methods.values()]
    total, full = sum(own) + sum(costs.values()), plans.methods["full"].planned_cost
    counted = f"{_count(params.compare, 'method')} and {_count(costs, 'warm-up')}"
    yield f"plan: {counted}: {total:.3g} epochs, {total / full:.3g} times full"
    yield from _time_lines(plans, total)
    parts = [f"{name}, {cost:.3g} epochs, for {', '.join(starts(params, name))}" for name, cost in costs.items()]
    unneeded = [name for name in params.warm_ups if not starts(params, name)]
    parts += [f"not run, since no method starts from them: {', '.join(unneeded)}"] if unneeded else []
    if parts:
        yield f"plan: warm-ups: {'; '.join(parts)}"
    if params.chosen.kind == "instructions" and isinstance(params.chosen.model, Transformer):
        yield f"plan: training moves {_moved(params.chosen.model)}"


def _moved(model: Transformer) -> str:
    """Return what is trained of a pretrained model, as text."""
    if model.lora is not None:
        return f"adapters of rank {model.lora.rank} alone; 'lora: null' trains the model's own weights"
    return "the whole model" if model.train_layers is None else f"the last {model.train_layers} layers"


def _count(items: Collection[str], name: str) -> str:
    return f"{len(items)} {name}{'s' * (len(items) != 1)}"


def _time_lines(plans: Plans, epochs: float) -> Iterator[str]:
    """Yield a line on the CPU time of ``epochs``, by a finished method of the same plan; nothing without one."""
    try:
        lock = Lock()
        done = next((m for m in _full_first(plans) if m.cost_known and m.planned_cost > 0 and _is_finished(lock, m)), None)
        if done is None:
            return
        took, meter = spent(done.name).total.cpu_seconds, CostRecord.of_stage("train", done.name).energy
    except UserError:
        # A torn record is made again by its own stage; the plan does without.
        return
    facts = f"{done.name}: {done.planned_cost:.3g} epochs in {_cpu_time(took)}"
    facts += f" on {meter.cpu_model}" if meter and meter.cpu_model else ""
    whole = _cpu_time(took / done.planned_cost * epochs)
    yield f"plan: about {whole} to train all of it, by {cost_of('train', done.name)} ({facts})"


def _full_first(plans: Plans) -> list[MethodPlan]:
    return sorted(plans.methods.values(), key=lambda method: method.name != "full")


def _is_finished(lock: Lock, method: MethodPlan) -> bool:
    """Return whether DVC ran the method's stages by the plan on disk: task, model, training, warm-up and method."""
    stages = ("prepare", f"warm_up@{method.warm_up}", f"subset@{method.name}", f"train@{method.name}")
    return all(lock.holds(stage) for stage in stages)


def _cpu_time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} CPU seconds"
    return f"{seconds / 60:.0f} CPU minutes" if seconds < 5400 else f"{seconds / 3600:.1f} CPU hours"


def plan() -> None:
    """Write all plans that params.yaml requires, and log their costs."""
    params = load()
    plans = plans_of(params)
    write(plans)
    for line in _summary_lines(params, plans):
        log_line(line)


if __name__ == "__main__":
    main("plan", plan)
