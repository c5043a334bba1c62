"""Section of time by stage and lap, selecting apart from training."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.config.plans import MethodPlan
from pipelines.core.artifacts import plan_of
from pipelines.costs.records import CostRecord
from pipelines.report.page import Section, Table, drawing, number
from pipelines.report.section_charts import Bar, bars

Laps = dict[str, float]
#: Laps of training, and of selecting; what remains of the outermost lap is ``rest``.
TRAINING, SELECTING = ("fetch", "freeze", "forward", "backward", "record"), ("look", "select")
#: The stages that a method is charged for, with their names on the page.
STAGES = {"warm_up": "warm-up", "subset": "subset", "train": "training"}
#: Parts of the figure: name, stage, laps, and whether it is selecting; a stage's ``rest`` belongs to its training.
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
    """Return the section on the methods ``names``."""
    spent = {name: _spent(name) for name in names}
    figure = bars([Bar(part, [_sum(spent[n][s].laps, laps) for n in names], apart) for part, s, laps, apart in DRAWN], names)
    caption = (
        "CPU seconds by part, from the left: training first, then selecting, hatched. A look is a forward pass without a "
        "gradient."
    )
    text = [
        "CPU seconds of the charged stages; a shared warm-up is charged to each of its methods in full. rest is the outermost "
        "lap of a stage minus the other laps. start-up, in wall seconds, is the time from the start of a stage's process to "
        "its first step (imports, model, data); no method is charged for it, since it is the same for all.",
        f"Selecting (scoring, looks, doors and subset) took {_shares(spent)} of the method's CPU seconds.",
    ]
    return [Section("Where the time went", text, _table(spent), [drawing(figure, "parts", caption)])]


@dataclass(frozen=True)
class StageTime:
    """Time of one stage.

    Attributes:
        laps: CPU seconds by lap, including ``rest``.
        total: CPU seconds of the stage.
        wall: wall seconds of the stage.
        start_up: wall seconds until its first step; None if it has no steps.
    """

    laps: Laps
    total: float
    wall: float
    start_up: float | None

    @staticmethod
    def of(cost: CostRecord) -> StageTime:
        """Return the time in a stage's cost record."""
        seconds = {name: lap.cpu_seconds for name, lap in cost.laps.items()}
        total = seconds.pop("train", sum(seconds.values()))
        seconds["rest"] = max(0.0, total - sum(seconds.values()))
        outer = cost.laps.get("train") or cost.laps.get("select")
        return StageTime(seconds, total, outer.wall_seconds if outer else 0.0, cost.start_up_seconds)


#: Times of a method's stages, by stage.
ByStage = dict[str, StageTime]


def _spent(name: str) -> ByStage:
    """Return the time of every charged stage of a method."""
    warm_up = MethodPlan.read(plan_of("methods", name)).warm_up
    return {s: StageTime.of(CostRecord.of_stage(s, warm_up if s == "warm_up" else name)) for s in STAGES}


def _sum(laps: Laps, parts: tuple[str, ...]) -> float:
    return sum(laps.get(p, 0.0) for p in parts)


def _shares(spent: dict[str, ByStage]) -> str:
    """Return the share of selecting in each method's CPU seconds, as text."""
    shares = []
    for name, stages in spent.items():
        total = sum(s.total for s in stages.values())
        selecting = sum(_sum(s.laps, SELECTING) for s in stages.values())
        shares.append(f"{100 * selecting / total:.1f} % ({name})" if total else f"nothing ({name})")
    return ", ".join(shares)


def _table(spent: dict[str, ByStage]) -> Table:
    """Return a row for each method and stage that took any time."""
    parts = [p for p in (*TRAINING, "rest", *SELECTING) if any(s.laps.get(p) for m in spent.values() for s in m.values())]
    rows = []
    for name, stages in spent.items():
        for stage, title in STAGES.items():
            if (one := stages[stage]).total:
                laps = [number(one.laps.get(p), 3) for p in parts]
                rows.append([name, title, *laps, number(one.total, 3), number(one.wall, 3), number(one.start_up, 1)])
    return Table(["method", "stage", *parts, "CPU s", "wall s", "start-up, wall s"], rows)
