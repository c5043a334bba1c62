"""Section of learning curves against cost, and the data map of full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from components.epoch_records import EpochRecord
from components.rng import stream
from pipelines.costs.records import CostRecord
from pipelines.costs.validation_curve import Costs
from pipelines.data.manifest import Manifest
from pipelines.report.charts import COLOURS
from pipelines.report.page import Drawing, Section, drawing
from pipelines.report.run_results import BLIND, Run
from pipelines.report.section_charts import Curve, Map, curves, data_map
from pipelines.report.trial_names import distinguishing_setting, runs, title

if TYPE_CHECKING:
    from pipelines.trials.grid import Trial
    from pipelines.trials.study_folder import StudyFolder

#: The most points of a data map: more would overlap, and make the page large.
POINTS = 2000
AXES = ("examples trained", "CPU seconds", "Wh, {}")
#: The most curves of a figure: one for each colour.
MOST = len(COLOURS)
MEANING = (
    "One point for each epoch. The loss is the mean over the examples that a method trained on in that epoch, before each "
    "step: a method that chooses hard examples has a higher loss for that reason alone. The test split is evaluated once, "
    "after training: there is no test metric by epoch."
)
CAPTION = "Training loss against examples trained, CPU seconds and energy, warm-up and subset included."


class Point(NamedTuple):
    """Examples trained, CPU seconds and kWh (None if not known) at an epoch's end, and its loss."""

    examples: float
    seconds: float | None
    kwh: float | None
    loss: float


#: Points by epoch.
Points = dict[int, Point]


def of_comparison(runs: Sequence[Run], manifest: Manifest) -> list[Section]:
    """Return the sections on a comparison's ``runs``."""
    return [_curves(runs), *(_data_map(runs) if manifest.target == "class" else [])]


def _curves(runs: Sequence[Run]) -> Section:
    label = CostRecord.of_stage("train", runs[0].name).metered.label
    found = [curve_of(run.name, _points(run)) for run in runs]
    return Section("Learning curves", [MEANING], figures=[_drawing(found, label, "learning", CAPTION)])


def _drawing(found: Sequence[Curve], label: str, name: str, caption: str) -> Drawing:
    figure = curves([c for c in found if c.values], [a.format(label) for a in AXES], "training loss")
    return drawing(figure, name, caption)


def of_study(study: StudyFolder, best: Sequence[Trial]) -> list[Section]:
    """Return the section on a study: its ``best`` trials, then each method's; none without runs."""
    trials = [trial for trial in study.grid.trials if trial.role != "control"]
    known = {trial.name: seeds for trial in trials if (seeds := [_points(run) for run in runs(study, trial)])}
    labels = [CostRecord.of_stage("train", run.name, run.root).metered.label for run in runs(study, study.grid["full"])]
    if not labels:
        return []
    groups = {"full, and the trial of highest AGOT of each method": best}
    groups |= {f"the trials of {m}": [c for c in trials if c.method == m] for m in dict.fromkeys(c.method for c in trials)}
    drawings: list[Drawing] = []
    for of, group in groups.items():
        found = {title(c) if group is best else distinguishing_setting(c): known[c.name] for c in group if c.name in known}
        if group is best or len(found) > 1:
            drawings.append(_of_group(f"learning-{len(drawings)}", of, found, labels[0]))
    several = "Thick lines are means over the seeds at the epochs that all have; thin lines are the seeds."
    return [Section("Learning curves", [MEANING, several] if len(study.seeds) > 1 else [MEANING], figures=drawings)]


def _of_group(name: str, of: str, found: dict[str, list[Points]], label: str) -> Drawing:
    """Return the figure of the trials ``found``, each as the mean over its seeds."""
    cut = f", the first {MOST} of {len(found)} trials" if len(found) > MOST else ""
    means = [mean_curve(trial, points) for trial, points in list(found.items())[:MOST]]
    return _drawing(means, label, name, f"{of}{cut}. {CAPTION}")


def _points(run: Run) -> Points:
    return points_of(run.history, *_costs(run))


def _costs(run: Run) -> Costs:
    return Costs.of(run.name, run.root)


def curve_of(name: str, points: Points) -> Curve:
    """Return the curve through ``points``."""
    found = list(points.values())
    watt_hours = [None if p.kwh is None else 1000 * p.kwh for p in found]
    return Curve(name, [[p.examples for p in found], [p.seconds for p in found], watt_hours], [p.loss for p in found])


def points_of(history: Sequence[EpochRecord], warm_up: CostRecord, subset: CostRecord, train: CostRecord) -> Points:
    """Return the points of a run, without epochs that trained nothing.

    The cost of a warm-up epoch is in the warm-up's record; a later epoch's is added to the costs of warm-up and subset. An
    epoch that is in no record has neither seconds nor kWh.
    """
    ends = Costs(warm_up, subset, train).at_ends()
    trained = accumulate(record.trained for record in history)
    return {
        record.epoch: Point(examples, *ends.get(record.epoch, (None, None)), record.loss)
        for examples, record in zip(trained, history, strict=True)
        if record.loss is not None
    }


def mean_curve(name: str, found: Sequence[Points]) -> Curve:
    """Return the mean curve of several runs over their common epochs, with the runs as parts."""
    common = [epoch for epoch in found[0] if all(epoch in points for points in found)]
    means = {epoch: _mean_point([points[epoch] for points in found]) for epoch in common}
    return replace(curve_of(name, means), parts=[curve_of(name, points) for points in found] if len(found) > 1 else ())


def _mean_point(found: Sequence[Point]) -> Point:
    seconds, kwh = _mean([p.seconds for p in found]), _mean([p.kwh for p in found])
    return Point(fmean(p.examples for p in found), seconds, kwh, fmean(p.loss for p in found))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if len(known) == len(values) else None


def _data_map(runs: Sequence[Run]) -> list[Section]:
    """Return the section with a data map for each selecting method, by full's training dynamics."""
    full, choosing = next(r for r in runs if r.name == "full").ledger, [r for r in runs if r.kind not in BLIND]
    known = np.flatnonzero(~np.isnan(full["confidence"]))
    if not choosing or not len(known):
        return []
    shown = np.sort(stream(0, "map").permutation(known)[:POINTS])
    counts = [Map(run.name, run.ledger["trained"][shown]) for run in choosing]
    most = int(full["trained"].max())
    figure = data_map(full["variability"][shown], full["confidence"][shown], counts, most)
    drawn = f"{len(shown):,} of {len(known):,} examples, drawn at random"
    cut = drawn if len(shown) < len(known) else f"All {len(known):,} examples"
    text = [
        "The data map of Swayamdipta et al. (arXiv 2009.10795), from the run of full: confidence is the mean probability of "
        f"the true class over the {most} times that training saw an example, variability its standard deviation. To the right "
        "examples are ambiguous, at the top left easy, at the bottom left hard or wrongly labelled.",
    ]
    caption = f"{cut}; the colour is how often each method trained on an example, from never (orange) to {most} times (blue)."
    return [Section("Data map", text, figures=[drawing(figure, "map", caption)])]
