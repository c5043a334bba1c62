"""How methods learnt: the loss against what was spent by then, and the data map of the run that trained on everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from components.arrays import stream
from pipelines.artifacts import cost_of, plan_of, read_json
from pipelines.figures_data import Curve, Map, curves, data_map
from pipelines.report import Section, drawing
from pipelines.report_course import History
from pipelines.report_runs import BLIND, Run

#: Points of a data map: more would make the page large, and hide each other.
POINTS = 2000
AXES = ("examples trained", "CPU seconds", "Wh, {}")


def of_comparison(runs: Sequence[Run], manifest: dict[str, Any]) -> list[Section]:
    """Return the sections on the methods' ``runs``."""
    return [_curves(runs), *(_data_map(runs) if manifest["target"] == "class" else [])]


def _curves(runs: Sequence[Run]) -> Section:
    label = read_json(cost_of("train", runs[0].name))["energy"]["label"]
    found = [curve_of(run.name, run.history, *_costs(run.name)) for run in runs]
    text = [
        "A point an epoch. The loss is the mean over what a method trained on in that epoch, as its steps found it: a method "
        "that chooses hard examples has a higher one for that alone. The test split is looked at once, after training: "
        "there is no test metric by epoch.",
    ]
    figure = curves([c for c in found if c.values], [a.format(label) for a in AXES], "training loss")
    caption = "Training loss against examples trained, CPU seconds and energy, warm-up and subset included."
    return Section("Learning curves", text, figures=[drawing(figure, "learning", caption)])


def _costs(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the cost records of a method's warm-up, subset and training."""
    warm_up = read_json(plan_of("methods", name))["warm_up"]
    return read_json(cost_of("warm_up", warm_up)), read_json(cost_of("subset", name)), read_json(cost_of("train", name))


def curve_of(name: str, history: History, warm_up: dict[str, Any], subset: dict[str, Any], train: dict[str, Any]) -> Curve:
    """Return the curve of a run by its history and cost records.

    What an epoch of the warm-up had cost stands in the warm-up's record; a later one comes on top of warm-up and subset. An
    epoch that a record knows nothing of has no place in time.
    """
    ends = {end["epoch"]: (end["cpu_seconds"], end["kwh"]) for end in warm_up.get("ends", [])}
    first = [warm_up["laps"].get("train", {}).get("cpu_seconds", 0.0), warm_up["energy"]["kwh"]]
    first[0] += subset["laps"]["select"]["cpu_seconds"]
    ends |= {end["epoch"]: (first[0] + end["cpu_seconds"], first[1] + end["kwh"]) for end in train.get("ends", [])}
    trained = accumulate(record["trained"] for record in history)
    points = [(n, *ends.get(r["epoch"], (None, None)), r["loss"]) for n, r in zip(trained, history, strict=True)]
    known = [p for p in points if p[3] is not None]
    watt_hours = [None if p[2] is None else 1000 * p[2] for p in known]
    return Curve(name, [[p[0] for p in known], [p[1] for p in known], watt_hours], [p[3] for p in known])


def _data_map(runs: Sequence[Run]) -> list[Section]:
    """Return the section with a map a method that chooses, of the examples as the run of full saw them."""
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
