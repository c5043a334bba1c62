"""Section of validation while training: curves against cost, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.costs.savings import Metric
from pipelines.costs.records import CostRecord, ValidationSpent, validated
from pipelines.costs.validation_curve import Judged, judged_in
from pipelines.report.page import Drawing, Section, Table, drawing, number
from pipelines.report.run_results import Run
from pipelines.report.section_charts import Curve, curves
from pipelines.report.sections.learning import AXES, MOST, Point, Points, curve_of, mean_curve
from pipelines.report.trial_names import runs, title

if TYPE_CHECKING:
    from pipelines.trials.grid import Trial
    from pipelines.trials.study_folder import StudyFolder

MEANING = (
    "A part of the training split, which no method sees, judged each method while it trained; the test split did not. Its "
    "cost is in no other number of this page."
)
CAPTION = "{} on the validation split against examples trained, CPU seconds and energy, warm-up and subset included."
HEADS = ("method", "evaluations", "examples", "CPU s", "Wh")


def of_comparison(found: Sequence[Run], metric: Metric) -> list[Section]:
    """Return the section on a comparison's runs; none if none was judged while it trained."""
    points = {run.name: points_of(judged_in(run.name, run.root), metric) for run in found}
    drawn = [curve_of(name, own) for name, own in points.items() if own]
    if not drawn:
        return []
    label = CostRecord.of_stage("train", found[0].name, found[0].root).metered.label
    spent = [(run.name, validated(run.name, run.root)) for run in found]
    figures = [_drawing(drawn, metric, label)]
    return [Section("Validation while training", [MEANING, _ended(points, metric)], _table(spent), figures)]


def of_study(study: StudyFolder, best: Sequence[Trial], metric: Metric) -> list[Section]:
    """Return the section on a study's ``best`` trials, as means over seeds; none if none was judged."""
    points = {title(c): [points_of(judged_in(r.name, r.root), metric) for r in runs(study, c)] for c in best[:MOST]}
    drawn = [mean_curve(name, own) for name, own in points.items() if own and all(own)]
    if not drawn:
        return []
    label = next(CostRecord.of_stage("train", r.name, r.root).metered.label for c in best for r in runs(study, c))
    several = "Lines are means over the seeds at the evaluations that all have; thin lines are the seeds."
    text = [MEANING, several] if len(study.seeds) > 1 else [MEANING]
    return [Section("Validation while training", text, figures=[_drawing(drawn, metric, label)])]


def points_of(found: Sequence[Judged], metric: Metric) -> Points:
    """Return the evaluations by epoch, with the judging metric as their value."""
    return {one.epoch: Point(one.examples, one.cpu_seconds, one.kwh, one.metrics[metric.name]) for one in found}


def _drawing(drawn: Sequence[Curve], metric: Metric, label: str) -> Drawing:
    figure = curves(drawn, [axis.format(label) for axis in AXES], f"validation {metric.name}", logarithmic=False)
    return drawing(figure, "validation", CAPTION.format(metric.name))


def _ended(points: dict[str, Points], metric: Metric) -> str:
    """Return each method's best evaluation, as text."""
    shown = []
    for name, own in points.items():
        if own:
            epoch = (max if metric.higher else min)(own, key=lambda epoch: own[epoch].loss)
            shown.append(f"{name} {own[epoch].loss:.4f} after epoch {epoch + 1} (of {len(own)} evaluations)")
    return f"Best {metric.name}: {', '.join(shown)}."


def _table(spent: Sequence[tuple[str, ValidationSpent | None]]) -> Table:
    rows = [
        [name, number(cost.evaluations, 0), number(cost.examples, 0), number(cost.cpu_seconds, 3), number(1000 * cost.kwh, 4)]
        for name, cost in spent
        if cost is not None
    ]
    return Table(HEADS, rows)
