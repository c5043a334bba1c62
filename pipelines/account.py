"""account: cost of each method in examples, seconds and energy, from all cost records."""

from __future__ import annotations

from typing import Any

from components.costs.comparison import Counts, Speed, Unit, counted_seconds, paper_time
from components.costs.energy import modelled_co2e_kg, modelled_kwh
from pipelines.config.plan_freshness import check_plan
from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.core.command import main
from pipelines.costs import records
from pipelines.costs.records import counts_of, outermost


def account() -> None:
    """Write the account of every planned method."""
    plan = read_json(plan_of("comparison"))
    training = read_json(plan_of("training"))["training"]
    unit = _unit(read_json(cost_of("train", "full"))["laps"])
    full = records.spent("full")["total"]["cpu_seconds"]
    offered = read_json(cost_of("train", "full"))["counts"]["examples"] * training["epochs"]
    methods = {name: _method(name, plan["energy"], training, unit, full, offered) for name in plan["methods"]}
    shared = {"prepare": outermost(read_json(cost_of("prepare"))), "offered": offered, "unit_cpu_seconds": vars(unit)}
    artifacts.write_json(artifacts.ACCOUNT, {"methods": methods, **shared})


def _unit(laps: dict[str, Any]) -> Unit:
    """Return T_f and T_b in CPU seconds an example, of a run: the one that trained on everything, or a proxy's."""
    return Unit(*(laps[part]["cpu_seconds"] / laps[part]["examples"] for part in ("forward", "backward")))


def _proxied(name: str, offered: int) -> dict[str, Any]:
    """Return what a method's proxy did and what its passes should take, by its own unit; nothing where it has none."""
    warm_up = read_json(plan_of("methods", name))["warm_up"]
    if not read_json(plan_of("warm_ups", warm_up))["proxy"]:
        return {}
    cost = read_json(cost_of("warm_up", warm_up))
    unit, done = _unit(cost["laps"]), {k: cost["counts"][k] for k in ("looked", "kept", "trained")}
    counted = counted_seconds(Counts(offered, **done), unit)
    return {"counts": done, "unit_cpu_seconds": vars(unit), "counted_cpu_seconds": counted}


def _method(
    name: str, watts: dict[str, Any], training: dict[str, Any], unit: Unit, full: float, offered: int
) -> dict[str, Any]:
    train, plan = read_json(cost_of("train", name)), read_json(plan_of("methods", name))
    spent = records.spent(name)
    counts, proxy = Counts(offered, **counts_of(name, train["counts"])), _proxied(name, offered)
    beside = proxy.get("counted_cpu_seconds", 0.0)
    counted, measured = counted_seconds(counts, unit) + beside, spent["total"]["cpu_seconds"]
    # On a shared machine CPU seconds say what the run used, and wall seconds what its neighbours did.
    hours = measured / training["threads"] / 3600
    whole, times = offered * unit.full, {"counted": counted / (offered * unit.full), "measured": measured / full}
    paper = paper_time(counts, unit) * whole + beside
    speed = Speed.of(**times, epochs=training["epochs"], planned_cost=plan["planned_cost"] if plan["cost_known"] else None)
    modelled = modelled_kwh(hours, watts["cpu_watts"], watts["memory_watts"], watts["gpu_watts"], watts["gpus"])
    return {
        "counts": train["counts"],
        "planned_cost_epochs": plan["planned_cost"],
        "spent": spent,
        # Charged to nobody: it is the same for all.
        "evaluate": outermost(read_json(cost_of("evaluate", name))),
        "alpha_b": counts.alpha_b,
        "alpha_fb": counts.alpha_fb,
        "paper_cpu_seconds": paper,
        "counted_cpu_seconds": counted,
        "measured_cpu_seconds": measured,
        "time_paper": paper / whole,
        "time_counted": times["counted"],
        "time_measured": times["measured"],
        "speed_reached": speed.reached,
        "speed_ceiling": speed.ceiling,
        "speed_share": speed.share,
        "speed_formula": speed.formula,
        "measured_over_counted": measured / counted,
        "energy": {
            "label": train["energy"]["label"],
            **{k: spent["total"][k] for k in ("kwh", "measured_kwh", "estimated_kwh", "co2e_kg")},
            "method": train["energy"]["method"],
        },
        "energy_modelled": {"label": "modelled", "kwh": modelled, "co2e_kg": modelled_co2e_kg(modelled)},
        **({"proxy": proxy | {"share": Unit(**proxy["unit_cpu_seconds"]).full / unit.full}} if proxy else {}),
    }


if __name__ == "__main__":
    main("account", account, before=check_plan)
