"""Section of time by stage and lap, selecting apart from training."""

from __future__ import annotations

from typing import Any

from pipelines.core.artifacts import cost_of, plan_of, read_json
from pipelines.report.data_charts import Bar, bars
from pipelines.report.page import Section, Table, drawing, number

Laps = dict[str, float]
#: What a lap is of; whatever else the outermost lap holds is the rest.
TRAINING, SELECTING = ("fetch", "freeze", "forward", "backward", "record"), ("look", "select")
#: The stages that a method is charged with, and what the page calls them.
STAGES = {"warm_up": "warm-up", "subset": "subset", "train": "training"}
#: Parts of the figure: name, stage and laps; the rest of a stage is told with its training.
DRAWN = (
    ("warm-up", "warm_up", (*TRAINING, "rest"), False),
    ("fetch", "train", ("fetch", "freeze"), False),
    ("forward", "train", ("forward",), False),
    ("backward", "train", ("backward",), False),
    ("record and rest", "train", ("record", "rest"), False),
    ("scoring in the warm-up", "warm_up", SELECTING, True),
    ("choosing the subset", "subset", SELECTING, True),
    ("looks", "train", ("look",), True),
    ("deciding at the doors", "train", ("select",), True),
)


def of_comparison(names: list[str]) -> list[Section]:
    """Return the section on the planned methods ``names``."""
    spent = {name: _spent(name) for name in names}
    figure = bars([Bar(part, [_sum(spent[n][s]["laps"], laps) for n in names], apart) for part, s, laps, apart in DRAWN], names)
    caption = (
        "CPU seconds by part, from the left: training first, then, hatched, what selecting took. A look is a forward pass that "
        "no gradient is taken from."
    )
    text = [
        "CPU seconds of the charged stages; a warm-up that methods share is charged to each of them in full. rest is what the "
        "outermost lap of a stage holds beside the others. start-up, in wall seconds, is the time from the start of a stage's "
        "process to its first step (imports, model, data): it is charged to nobody, since it is the same for all.",
        f"Selecting, that is scoring, looks, doors and subset, took {_shares(spent)} of the method's CPU seconds.",
    ]
    return [Section("Where the time went", text, _table(spent), [drawing(figure, "parts", caption)])]


def _spent(name: str) -> dict[str, Any]:
    """Return for every charged stage of a method its laps in CPU seconds, ``rest`` among them, and its wall seconds."""
    warm_up = read_json(plan_of("methods", name))["warm_up"]
    return {s: _stage(read_json(cost_of(s, warm_up if s == "warm_up" else name))) for s in STAGES}


def _stage(cost: dict[str, Any]) -> dict[str, Any]:
    seconds: Laps = {k: lap["cpu_seconds"] for k, lap in cost["laps"].items()}
    total = seconds.pop("train", sum(seconds.values()))
    seconds["rest"] = max(0.0, total - sum(seconds.values()))
    wall = cost["laps"].get("train", cost["laps"].get("select", {})).get("wall_seconds", 0.0)
    return {"laps": seconds, "total": total, "wall": wall, "start_up": cost.get("start_up_seconds")}


def _sum(laps: Laps, parts: tuple[str, ...]) -> float:
    return sum(laps.get(p, 0.0) for p in parts)


def _shares(spent: dict[str, Any]) -> str:
    """Return which share of each method's seconds selecting took, in words."""
    told = []
    for name, stages in spent.items():
        total = sum(s["total"] for s in stages.values())
        selecting = sum(_sum(s["laps"], SELECTING) for s in stages.values())
        told.append(f"{100 * selecting / total:.1f} % ({name})" if total else f"nothing ({name})")
    return ", ".join(told)


def _table(spent: dict[str, Any]) -> Table:
    """Return a row a method and stage that took any time."""
    parts = [p for p in (*TRAINING, "rest", *SELECTING) if any(s["laps"].get(p) for m in spent.values() for s in m.values())]
    rows = []
    for name, stages in spent.items():
        for stage, told in STAGES.items():
            if (one := stages[stage])["total"]:
                laps = [number(one["laps"].get(p), 3) for p in parts]
                rows.append([name, told, *laps, number(one["total"], 3), number(one["wall"], 3), number(one["start_up"], 1)])
    return Table(["method", "stage", *parts, "CPU s", "wall s", "start-up, wall s"], rows)
