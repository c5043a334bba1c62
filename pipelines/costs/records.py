"""Cost records of a run's stages, read and added up."""

from __future__ import annotations

from typing import Any

from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.costs.energy_meter import by_label

#: The stages whose cost a method is charged with, each in full, also where it shared one.
CHARGED = ("warm_up", "subset", "train")
#: Of a stage without a meter.
UNMETERED: dict[str, Any] = {"kwh": 0.0, "co2e_kg": 0.0, "kwh_by_part": {}, "labels": {}}


def outermost(cost: dict[str, Any]) -> dict[str, float]:
    """Return the seconds of a stage's outermost lap: "train", or the only one there is."""
    laps = cost["laps"]
    lap: dict[str, float] = laps.get("train") or next(iter(laps.values()), {})
    return {k: lap.get(k, 0.0) for k in ("cpu_seconds", "wall_seconds")}


def spent(name: str) -> dict[str, dict[str, float]]:
    """Return the seconds and, where metered, the energy of each charged stage of a method, and their total."""
    warm_up = read_json(plan_of("methods", name))["warm_up"]
    stages: dict[str, dict[str, float]] = {}
    for stage in CHARGED:
        cost = read_json(cost_of(stage, warm_up if stage == "warm_up" else name))
        energy = cost.get("energy", UNMETERED)
        kwh = {f"{label}_kwh": spent for label, spent in by_label(energy).items()}
        stages[stage] = outermost(cost) | {"kwh": energy["kwh"], "co2e_kg": energy["co2e_kg"], **kwh}
    total = {k: sum(s[k] for s in stages.values()) for k in stages["train"]}
    selecting = read_json(cost_of("train", name))["laps"].get("select", {}).get("cpu_seconds", 0.0)
    return {**stages, "selection": {"cpu_seconds": stages["subset"]["cpu_seconds"] + selecting}, "total": total}


def counts_of(name: str, train: dict[str, int]) -> dict[str, int]:
    """Return a method's looked, kept and trained counts, its warm-up included; a holdout's own warm-up is added."""
    warm_up = read_json(plan_of("methods", name))["warm_up"]
    apart = read_json(plan_of("warm_ups", warm_up))["holdout"]
    other = read_json(cost_of("warm_up", warm_up))["counts"] if apart else {}
    return {k: train[k] + other.get(k, 0) for k in ("looked", "kept", "trained")}
