"""Learning curves are of what was recorded, the data map of few points."""

from dataclasses import asdict

import numpy as np
import pytest

from pipelines.core import artifacts
from pipelines.core.artifacts import cost_of, result
from pipelines.report import trial_names
from pipelines.report.run_results import Run
from pipelines.report.section_charts import curves
from pipelines.report.sections import learning
from pipelines.report.sections.learning import Point
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.study_folder import StudyFolder
from tests.pipelines.records import cost_record, epoch_record
from tests.pipelines.study_rows import method_row


def lap(seconds):
    return {"times": 1, "examples": 1, "wall_seconds": seconds, "cpu_seconds": seconds}


ENERGY = cost_record().metered.dumped()
WARM_UP = cost_record(
    laps={"train": lap(4.0)}, energy=ENERGY | {"kwh": 0.04}, ends=[{"epoch": 0, "cpu_seconds": 3.0, "kwh": 0.03}]
)
SUBSET = cost_record(laps={"select": lap(0.5)})
TRAIN = cost_record(ends=[{"epoch": 1, "cpu_seconds": 1.0, "kwh": 0.01}, {"epoch": 2, "cpu_seconds": 2.0, "kwh": 0.02}])
FACTS = [{"epoch": e, "trained": trained, "loss": loss} for e, trained, loss in ((0, 100, 2.0), (1, 30, 1.0), (2, 0, None))]
HISTORY = [epoch_record(**facts) for facts in FACTS]


def curve_of(*records):
    return learning.curve_of("m", learning.points_of(*records))


def test_an_epoch_after_the_warm_up_comes_on_top_of_all_that_went_before():
    curve = curve_of(HISTORY, WARM_UP, SUBSET, TRAIN)
    assert list(curve.values) == [2.0, 1.0]  # the last epoch trained nothing
    assert curve.spent[:2] == [[100, 130], [3.0, 5.5]]
    assert curve.spent[2] == pytest.approx([30, 50])


def test_an_epoch_of_which_no_time_is_known_stands_against_examples_alone():
    curve = curve_of(HISTORY, WARM_UP.model_copy(update={"ends": []}), SUBSET, cost_record())
    assert curve.spent == [[100, 130], [None, None], [None, None]]
    drawn = curves([curve], ["a", "b", "c"], "loss")
    assert [len(axes.lines) for axes in drawn.axes] == [1, 0, 0]
    assert drawn.axes[0].get_yscale() == "log"


def test_the_mean_over_seeds_is_of_the_epochs_that_all_have_and_of_what_all_know():
    one = {0: Point(100, 1.0, 0.001, 2.0), 1: Point(200, 2.0, 0.002, 1.0), 2: Point(300, 3.0, 0.003, 0.5)}
    other = {0: Point(100, 3.0, 0.003, 4.0), 1: Point(240, None, None, 3.0)}
    curve = learning.mean_curve("m", [one, other])
    assert (list(curve.values), list(curve.spent[0])) == ([3.0, 2.0], [100, 220])
    assert curve.at(1) == [(2.0, 3.0)]
    assert curve.at(2) == [(2.0, 3.0)]
    assert [len(part.values) for part in curve.parts] == [3, 2]
    drawn = curves([curve], ["a", "b", "c"], "loss").axes
    assert [[len(line.get_xdata()) for line in axes.lines] for axes in drawn] == [[3, 2, 2], [3, 1, 1], [3, 1, 1]]
    assert learning.mean_curve("m", [one]).parts == ()
    assert learning.mean_curve("m", [one, {5: Point(1, 1.0, 1.0, 1.0)}]).values == []


@pytest.mark.slow
def test_a_study_has_a_figure_of_the_best_cells_and_one_of_each_method_with_several(tmp_path, monkeypatch):
    trials = [trial("full"), trial("a", 0.1), trial("a", 0.3), trial("once"), trial("short-at-1", role="control")]
    study = StudyFolder(tmp_path, Grid(tuple(trials), None), (0, 1))
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: not (name == "a-0.3" and seed == 1))
    monkeypatch.setattr(learning, "_costs", lambda name: (WARM_UP, SUBSET, TRAIN))
    for seed in study.seeds:
        for one in trials:
            artifacts.write_json(
                study.of(seed) / result("train", one.name, "history.json"), [asdict(record) for record in HISTORY]
            )
        cost_record(energy=ENERGY | {"label": "measured"}).write(study.of(seed) / cost_of("train", "full"))
    rows = [method_row(method=c.method, fraction=c.fraction, agot_best=c.name == "a-0.3") for c in trials]
    best = trial_names.best(study, rows)
    assert [trial_names.title(c) for c in best] == ["full", "a, 0.3 kept"]
    (section,) = learning.of_study(study, best)
    assert [f.caption.split(". ")[0] for f in section.figures] == [
        "full, and the trial of highest AGOT of each method",
        "the trials of a",
    ]
    assert "Wh, measured" in section.figures[0].svg
    monkeypatch.setattr(learning, "MOST", 1)
    assert ", the first 1 of 2 trials" in learning.of_study(study, best)[0].figures[1].caption
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: False)
    assert learning.of_study(study, best) == []


def trial(method, fraction=None, role="method"):
    return Trial(method if fraction is None else f"{method}-{fraction}", role, method, fraction)


def run(name, kind, trained):
    made, n = Run(name), len(trained)
    confidence = np.linspace(0, 1, n)
    confidence[0] = np.nan
    ledger = {"confidence": confidence, "variability": np.zeros(n), "trained": np.asarray(trained)}
    made.__dict__.update({"kind": kind, "ledger": ledger})
    return made


@pytest.mark.parametrize(("examples", "points", "said"), [(11, 20, "All 10 examples"), (31, 20, "20 of 30 examples")])
def test_the_map_has_a_panel_for_each_method_that_chooses(monkeypatch, examples, points, said):
    monkeypatch.setattr(learning, "POINTS", points)
    full = run("full", "full", [6] * examples)
    (section,) = learning._data_map([full, run("a", "uniform", [3] * examples), run("b", "infobatch", [2] * examples)])
    assert said in section.figures[0].caption
    assert "over the 6 times" in section.text[0]
    assert learning._data_map([full]) == []
    full.ledger["confidence"][:] = np.nan
    assert learning._data_map([full, run("b", "infobatch", [2] * examples)]) == []
