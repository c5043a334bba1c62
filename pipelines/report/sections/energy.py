"""Section of energy: measured, estimated and modelled, by stage, and savings."""

from __future__ import annotations

from typing import Any

from pipelines.core.artifacts import ACCOUNT, cost_of, plan_of, read_json
from pipelines.report.page import Section, Table
from pipelines.report.tables import energy, small

Row = dict[str, Any]
#: Stages with a meter, and what the page calls them.
STAGES = {"warm_up": "warm-up", "train": "training"}


def of_comparison(rows: list[Row], controls: set[str]) -> list[Section]:
    """Return the sections on the methods' ``rows``, some of which are ``controls``."""
    record = read_json(cost_of("train", "full"))["energy"]
    text = [
        f"The processor is {record['label']}: {record['reason']}. {_gpu(record)}{record['method']}. Emissions are energy "
        f"times the carbon intensity of {record['country']}, {record['intensity_kg_per_kwh']:.3f} kg CO2e a kWh as CodeCarbon "
        f"has it. {_waiting(record)}",
    ]
    names = [r["method"] for r in rows]
    return [energy(rows, ["method"], [[n] for n in names], text), _saved(rows, controls)]


def _gpu(record: Row) -> str:
    """Return what is said of the GPU, if there was one."""
    model = record["gpu_model"]
    return f"The GPU, {model}, is {record['labels']['gpu']}: its own counter is read. " if model else ""


def _waiting(record: Row) -> str:
    """Return how memory is charged, and how busy the machine was meanwhile, as far as the record says it."""
    told = f"The processor is charged by its own seconds, and memory, {record['memory_watts']:.0f} W, by wall time"
    if record.get("load") is None:
        return f"{told}."
    return f"{told}: where the machine was shared, with waiting for others; its load was {record['load']:.1f} as full trained."


def _saved(rows: list[Row], controls: set[str]) -> Section:
    """Return the section on what each stage took, and what was saved against full and every control."""
    spent = {name: told["spent"] for name, told in read_json(ACCOUNT)["methods"].items()}
    others = [r for r in rows if r["method"] == "full" or r["method"] in controls]
    heads = ["method", *STAGES.values(), "all", *(f"less than {r['method']}" for r in others)]
    lines = []
    for r in rows:
        stages = [small(spent[r["method"]][stage]["kwh"]) for stage in STAGES]
        saved = [None if o is r else o["energy_kwh"] - r["energy_kwh"] for o in others]
        lines.append([r["method"], *stages, small(r["energy_kwh"]), *map(small, saved)])
    charged, once = sum(r["energy_kwh"] for r in rows), _once([r["method"] for r in rows])
    text = [
        "In Wh, measured and estimated together: by stage, and how much less than full and each control took; below 0 it was "
        "more. A method is charged with what its warm-up spent when it ran, also where others share it or a cache had it: "
        f"{small(charged)} Wh are charged in all, and {small(once)} Wh were spent when each stage ran once.",
    ]
    return Section("Energy by stage, and what was saved", text, Table(heads, lines))


def _once(names: list[str]) -> float:
    """Return the kWh of all stages of the methods ``names``, a warm-up that several share counted once."""
    warm_ups = {read_json(plan_of("methods", name))["warm_up"] for name in names}
    stages = [("warm_up", w) for w in warm_ups] + [("train", name) for name in names]
    return float(sum(read_json(cost_of(*stage))["energy"]["kwh"] for stage in stages))
