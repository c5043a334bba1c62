"""Section of validation while training: curves against cost, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from components.costs.savings import Metric
from pipelines.costs.records import CostRecord, validated
from pipelines.costs.validation_curve import Judged, TimeTo, judged_in
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
REACHED = (
    "The last columns are what a method took, warm-up and subset included, until {} first was at {:g} or better; blank where "
    "it never was."
)
HEADS = ("method", "evaluations", "examples", "CPU s", "Wh")


def of_comparison(found: Sequence[Run], metric: Metric, target: float | None = None) -> list[Section]:
    """Return the section on a comparison's runs, and what they took to a ``target``; none if none was judged."""
    points = {run.name: points_of(judged_in(run.name, run.root), metric) for run in found}
    drawn = [curve_of(name, own) for name, own in points.items() if own]
    if not drawn:
        return []
    label = CostRecord.of_stage("train", found[0].name, found[0].root).metered.label
    text, figures = [MEANING, _ended(points, metric)], [_drawing(drawn, metric, label)]
    if target is not None:
        text.append(REACHED.format(metric.name, target))
    return [Section("Validation while training", text, _table(found, metric, target), figures)]


def of_study(study: StudyFolder, best: Sequence[Trial], metric: Metric) -> list[Section]:
    """Return the section on a study's ``best`` trials, as means over seeds; none if none was judged."""
    points = {title(c): [points_of(judged_in(r.name, r.root), metric) for r in runs(study, c)] for c in best[:MOST]}
    drawn = [mean_curve(name, own) for name, own in points.items() if own and all(own)]
    if not drawn:
        return []
    label = next(CostRecord.of_stage("train", r.name, r.root).metered.label for c in best for r in runs(study, c))
    several = "Lines are means over the seeds at the evaluations that all have; thin lines are the seeds."
    text = [MEANING, several] if len(study.seeds) > 1 else [MEANING]
    table = None
    if (target := study.grid.params.chosen.time_to) is not None:
        text = [*text, REACHED.format(metric.name, target)]
        table = Table(["trial", *_until(target)], [[title(c), *time_to_texts(_mean_time_to(study, c, metric))] for c in best])
    return [Section("Validation while training", text, table, figures=[_drawing(drawn, metric, label)])]


def _mean_time_to(study: StudyFolder, trial: Trial, metric: Metric) -> TimeTo | None:
    """Return the mean over seeds of what a trial took to the task's target."""
    target = study.grid.params.chosen.time_to
    found = [TimeTo.of(judged_in(run.name, run.root), metric, target) for run in runs(study, trial)]
    return TimeTo.mean(found, fmean)


def _until(target: float) -> list[str]:
    """Return the headings of what was taken to the ``target``."""
    return [f"{what} to {target:g}" for what in ("trained", "CPU s", "Wh")]


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


def _table(found: Sequence[Run], metric: Metric, target: float | None) -> Table:
    """Return what validation of each run cost, and what the run took to the ``target``, if there is one."""
    rows = []
    for run in found:
        if (cost := validated(run.name, run.root)) is None:
            continue
        row = [run.name, number(cost.evaluations, 0), number(cost.examples, 0), number(cost.cpu_seconds, 3)]
        row.append(number(1000 * cost.kwh, 4))
        if target is not None:
            row += time_to_texts(TimeTo.of(judged_in(run.name, run.root), metric, target))
        rows.append(row)
    return Table([*HEADS, *([] if target is None else _until(target))], rows)


def time_to_texts(reached: TimeTo | None) -> list[str]:
    """Return examples, CPU seconds and Wh as text, blank where the score was never reached."""
    one = reached or TimeTo()
    values = (one.examples, one.cpu_seconds, None if one.kwh is None else 1000 * one.kwh)
    return ["" if value is None else number(value, digits) for value, digits in zip(values, (0, 1, 3), strict=True)]
