"""Section by class: share trained on, and accuracy of each model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from components.arrays import Array
from components.costs.savings import mean_and_deviation
from pipelines.data.manifest import Manifest
from pipelines.report.page import Section, Table, number, with_error
from pipelines.report.run_results import Run, prepared
from pipelines.report.trial_names import runs as runs_of
from pipelines.report.trial_names import title

if TYPE_CHECKING:
    from pipelines.trials.grid import Trial
    from pipelines.trials.study_folder import StudyFolder

#: The most classes shown, the largest of the training split first.
MOST = 20
#: By class ``(C,)``: a run's number of training passes over its examples, and of correct test predictions.
Counts = tuple[Array, Array]


def of_comparison(runs: Sequence[Run], manifest: Manifest, epochs: int) -> list[Section]:
    """Return the sections by class of a comparison; none for other targets.

    Args:
        runs: the methods' runs.
        manifest: of the data.
        epochs: epochs of full.
    """
    if not (names := manifest.classes):
        return []
    label, tested = prepared("train")["label"].to_numpy(), prepared("test")["label"].to_numpy()
    return _tables({run.name: [_counts(run, label, len(names))] for run in runs}, names, label, tested, epochs, "")


def of_study(study: StudyFolder, best: Sequence[Trial], manifest: Manifest, epochs: int) -> list[Section]:
    """Return the sections by class of a study's ``best`` trials; none without classes or runs."""
    if not (names := manifest.classes):
        return []
    root = study.of(study.seeds[0])
    label, tested = (prepared(split, root)["label"].to_numpy() for split in ("train", "test"))
    found = {title(c): [_counts(r, label, len(names)) for r in runs_of(study, c, manifest.content)] for c in best}
    found = {name: seeds for name, seeds in found.items() if seeds}
    text = " For each method, the trial of highest AGOT."
    text += " Means over seeds, ± their standard deviation." if len(study.seeds) > 1 else ""
    return _tables(found, names, label, tested, epochs, text) if found else []


def _counts(run: Run, label: Array, classes: int) -> Counts:
    predicted, target = run.predictions["predicted"], run.predictions["target"]
    return np.bincount(label, run.ledger["trained"], classes), np.bincount(target, predicted == target, classes)


def _tables(
    found: dict[str, list[Counts]], names: Sequence[str], label: Array, tested: Array, epochs: int, text: str
) -> list[Section]:
    """Return both sections; a column is the mean over seeds, ± its deviation."""
    sizes, tests = (np.bincount(each, minlength=len(names)) for each in (label, tested))
    shown = np.argsort(-sizes, kind="stable")[:MOST]
    cut = f" The {MOST} largest of {len(sizes)} classes." if len(sizes) > MOST else ""
    passes = f"Passes trained in each class, in % of all its passes, {epochs} for each example.{cut}{text}"
    right = f"Test examples of each class that were predicted right, in %.{cut}{text}"
    trained = [[counts[0] / epochs for counts in seeds] for seeds in found.values()]
    good = [[counts[1] for counts in seeds] for seeds in found.values()]
    return [
        Section("Trained, by class", [passes], Table(["class", "examples", *found], _rows(names, shown, sizes, trained))),
        Section("Accuracy, by class", [right], Table(["class", "test", *found], _rows(names, shown, tests, good))),
    ]


def _rows(names: Sequence[str], shown: Array, sizes: Array, parts: Sequence[Sequence[Array]]) -> list[list[str]]:
    """Return a row for each class ``shown`` and one for all: ``parts`` in % of ``sizes``."""
    rows = [[names[c], number(sizes[c], 0), *(_percent([s[c] for s in p], sizes[c]) for p in parts)] for c in map(int, shown)]
    return [*rows, ["all", number(sizes.sum(), 0), *(_percent([s.sum() for s in p], sizes.sum()) for p in parts)]]


def _percent(seeds: Sequence[float], whole: float) -> str:
    """Return the mean over ``seeds`` in % of ``whole``."""
    mean, deviation = mean_and_deviation([100 * part / whole for part in seeds] if whole else [])
    return with_error(mean, deviation, 1)
