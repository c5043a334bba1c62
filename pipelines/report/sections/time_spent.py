"""Section of time by stage and lap, selecting apart from training."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import plan_of
from pipelines.costs.records import CostRecord
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
    figure = bars([Bar(part, [_sum(spent[n][s].laps, laps) for n in names], apart) for part, s, laps, apart in DRAWN], names)
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


@dataclass(frozen=True)
class StageTime:
    """What a stage took.

    Attributes:
        laps: CPU seconds of each, ``rest`` among them.
        total: CPU seconds in all.
        wall: wall seconds.
        start_up: wall seconds until its first step; None where it has none.
    """

    laps: Laps
    total: float
    wall: float
    start_up: float | None

    @staticmethod
    def of(cost: CostRecord) -> StageTime:
        """Return what the stage of a cost record took."""
        seconds = {name: lap.cpu_seconds for name, lap in cost.laps.items()}
        total = seconds.pop("train", sum(seconds.values()))
        seconds["rest"] = max(0.0, total - sum(seconds.values()))
        outer = cost.laps.get("train") or cost.laps.get("select")
        return StageTime(seconds, total, outer.wall_seconds if outer else 0.0, cost.start_up_seconds)


#: What a method's stages took, by stage.
ByStage = dict[str, StageTime]


def _spent(name: str) -> ByStage:
    """Return what every charged stage of a method took."""
    warm_up = MethodPlan.read(plan_of("methods", name)).warm_up
    return {s: StageTime.of(CostRecord.of_stage(s, warm_up if s == "warm_up" else name)) for s in STAGES}


def _sum(laps: Laps, parts: tuple[str, ...]) -> float:
    return sum(laps.get(p, 0.0) for p in parts)


def _shares(spent: dict[str, ByStage]) -> str:
    """Return which share of each method's seconds selecting took, in words."""
    told = []
    for name, stages in spent.items():
        total = sum(s.total for s in stages.values())
        selecting = sum(_sum(s.laps, SELECTING) for s in stages.values())
        told.append(f"{100 * selecting / total:.1f} % ({name})" if total else f"nothing ({name})")
    return ", ".join(told)


def _table(spent: dict[str, ByStage]) -> Table:
    """Return a row a method and stage that took any time."""
    parts = [p for p in (*TRAINING, "rest", *SELECTING) if any(s.laps.get(p) for m in spent.values() for s in m.values())]
    rows = []
    for name, stages in spent.items():
        for stage, told in STAGES.items():
            if (one := stages[stage]).total:
                laps = [number(one.laps.get(p), 3) for p in parts]
                rows.append([name, told, *laps, number(one.total, 3), number(one.wall, 3), number(one.start_up, 1)])
    return Table(["method", "stage", *parts, "CPU s", "wall s", "start-up, wall s"], rows)
