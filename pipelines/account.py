"""account: cost of each method in examples, seconds and energy, from all cost records."""

from __future__ import annotations

from pathlib import Path

from components.costs.energy import modelled_co2e_kg, modelled_kwh
from components.costs.savings import Counts, Speed, Unit, counted_seconds, paper_time
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import ComparisonPlan, MethodPlan, TrainingPlan, WarmUpPlan
from pipelines.config.schema.sections import Energy
from pipelines.config.schema.training import Training
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of
from pipelines.core.command import main
from pipelines.costs.account import (
    Account,
    EnergyAccount,
    MethodAccount,
    ModelledEnergy,
    Passes,
    ProxyAccount,
    UnitSeconds,
)
from pipelines.costs.records import CostRecord, Spent, counts_of, spent, validated


def account(root: Path = artifacts.HERE) -> None:
    """Write the account of every planned method in the folder ``root``."""
    plan = ComparisonPlan.read(root / plan_of("comparison"))
    training = TrainingPlan.read(root / plan_of("training")).training
    full = CostRecord.of_stage("train", "full", root=root)
    unit, offered = _unit(full), full.counted.examples * training.epochs
    seconds = spent("full", root).total.cpu_seconds
    Account(
        methods={name: _method(name, plan.energy, training, unit, seconds, offered, root) for name in plan.methods},
        prepare=CostRecord.of_stage("prepare", root=root).outermost,
        offered=offered,
        unit_cpu_seconds=UnitSeconds(**vars(unit)),
    ).write(root / artifacts.ACCOUNT)


def _unit(cost: CostRecord) -> Unit:
    """Return T_f and T_b of a run (``full`` or a proxy's), in CPU seconds per example."""
    forward, backward = (cost.laps[part].cpu_seconds / cost.laps[part].examples for part in ("forward", "backward"))
    return Unit(forward, backward)


def _proxied(name: str, offered: int, unit: Unit, root: Path) -> ProxyAccount | None:
    """Return the counts and CPU seconds of a method's proxy, by its own unit; None without one."""
    warm_up = MethodPlan.read(root / plan_of("methods", name)).warm_up
    if not WarmUpPlan.read(root / plan_of("warm_ups", warm_up)).proxy:
        return None
    cost = CostRecord.of_stage("warm_up", warm_up, root=root)
    own, done = _unit(cost), {k: getattr(cost.counted, k) for k in Passes.model_fields}
    return ProxyAccount(
        counts=Passes(**done),
        unit_cpu_seconds=UnitSeconds(**vars(own)),
        counted_cpu_seconds=counted_seconds(Counts(offered, **done), own),
        share=own.full / unit.full,
    )


def _method(name: str, watts: Energy, training: Training, unit: Unit, full: float, offered: int, root: Path) -> MethodAccount:
    """Return a method's account; ``full`` and ``offered`` are the CPU seconds and examples of ``full``."""
    train, plan, took = (
        CostRecord.of_stage("train", name, root=root),
        MethodPlan.read(root / plan_of("methods", name)),
        spent(name, root),
    )
    counts, proxy = Counts(offered, **counts_of(name, train.counted, root)), _proxied(name, offered, unit, root)
    beside = proxy.counted_cpu_seconds if proxy else 0.0
    counted, measured = counted_seconds(counts, unit) + beside, took.total.cpu_seconds
    whole, times = offered * unit.full, {"counted": counted / (offered * unit.full), "measured": measured / full}
    paper = paper_time(counts, unit) * whole + beside
    speed = Speed.of(**times, epochs=training.epochs, planned_cost=plan.planned_cost if plan.cost_known else None)
    account = MethodAccount(
        counts=train.counted,
        planned_cost_epochs=plan.planned_cost,
        spent=took,
        evaluate=CostRecord.of_stage("evaluate", name, root=root).outermost,
        alpha_b=counts.alpha_b,
        alpha_fb=counts.alpha_fb,
        paper_cpu_seconds=paper,
        counted_cpu_seconds=counted,
        measured_cpu_seconds=measured,
        time_paper=paper / whole,
        time_counted=times["counted"],
        time_measured=times["measured"],
        speed_reached=speed.reached,
        speed_ceiling=speed.ceiling,
        speed_share=speed.share,
        speed_formula=speed.formula,
        measured_over_counted=measured / counted,
        energy=_energy(train, took),
        # On a shared machine CPU seconds are the run's own, while wall seconds include waiting for other processes.
        energy_modelled=_modelled(measured / training.threads / 3600, watts),
    )
    more = {"proxy": proxy, "validation": validated(name, root)}
    return account.model_copy(update={key: found for key, found in more.items() if found is not None})


def _energy(train: CostRecord, took: Spent) -> EnergyAccount:
    """Return the energy that a method is charged with, labelled by its training's meter."""
    meter, total = train.metered, took.total
    kwh = {key: getattr(total, key) for key in ("kwh", "measured_kwh", "estimated_kwh", "co2e_kg")}
    return EnergyAccount(label=meter.label, method=meter.method, **kwh)


def _modelled(hours: float, watts: Energy) -> ModelledEnergy:
    kwh = modelled_kwh(hours, watts.cpu_watts, watts.memory_watts, watts.gpu_watts, watts.gpus)
    return ModelledEnergy(label="modelled", kwh=kwh, co2e_kg=modelled_co2e_kg(kwh))


if __name__ == "__main__":
    main("account", account, before=check_plan)
