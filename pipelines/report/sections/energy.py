"""Section of energy: measured, estimated and modelled, by stage, and savings."""

from __future__ import annotations

from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import plan_of
from pipelines.costs.account import Account
from pipelines.costs.records import CostRecord, EnergySpent
from pipelines.report.cost_tables import energy, small
from pipelines.report.page import Section, Table
from pipelines.report.rows import ComparisonRow

#: Names on the page of the stages with a meter.
STAGES = ("warm-up", "training")


def of_comparison(rows: list[ComparisonRow], controls: set[str]) -> list[Section]:
    """Return the sections on energy.

    Args:
        rows: the comparison's rows.
        controls: names of the controls.
    """
    record = CostRecord.of_stage("train", "full").metered
    text = [
        f"The processor is {record.label}: {record.reason}. {_gpu(record)}{record.method}. Emissions are energy times "
        f"CodeCarbon's carbon intensity of {record.country}, {record.intensity_kg_per_kwh:.3f} kg CO2e per kWh. "
        f"{_waiting(record)}",
    ]
    table = energy([r.columns() for r in rows], ["method"], [[r.method] for r in rows], text)
    return [table, _saved([r.method for r in rows], controls)]


def _gpu(record: EnergySpent) -> str:
    """Return a sentence on the GPU's energy, if there was a GPU."""
    model = record.gpu_model
    return f"The GPU, {model}, is {record.labels['gpu']}: its own counter is read. " if model else ""


def _waiting(record: EnergySpent) -> str:
    """Return how processor and memory are charged, and the machine's load if it was recorded."""
    text = f"The processor is charged by the run's CPU time, and memory, {record.memory_watts:.0f} W, by wall time"
    if record.load is None:
        return f"{text}."
    return f"{text}, which on a shared machine includes waiting; the load was {record.load:.1f} while full trained."


def _saved(names: list[str], controls: set[str]) -> Section:
    """Return the section on each stage's energy, and the savings against full and every control."""
    accounts = Account.settled().methods
    whole = {name: accounts[name].energy.kwh for name in names}
    others = [name for name in names if name == "full" or name in controls]
    heads = ["method", *STAGES, "all", *(f"less than {other}" for other in others)]
    lines = []
    for name in names:
        stages = [small(stage.kwh) for stage in (accounts[name].spent.warm_up, accounts[name].spent.train)]
        saved = [None if other == name else whole[other] - whole[name] for other in others]
        lines.append([name, *stages, small(whole[name]), *map(small, saved)])
    charged, once = sum(whole.values()), _once(names)
    text = [
        "In Wh, measured and estimated together: by stage, and how much less than full and each control; a value below 0 is "
        "more. A method is charged the whole energy of its warm-up, also if other methods share it or it came from a cache: "
        f"{small(charged)} Wh are charged in all, and {small(once)} Wh if each stage is counted once.",
    ]
    return Section("Energy by stage, and what was saved", text, Table(heads, lines))


def _once(names: list[str]) -> float:
    """Return the kWh of all stages of the methods ``names``, shared warm-ups counted once."""
    warm_ups = {MethodPlan.read(plan_of("methods", name)).warm_up for name in names}
    stages = [("warm_up", w) for w in warm_ups] + [("train", name) for name in names]
    return sum(CostRecord.of_stage(*stage).metered.kwh for stage in stages)
