"""Learning curves are of what was really recorded, and the data map is of at most so many points."""

import numpy as np
import pytest

from pipelines import report_learning
from pipelines.figures_data import Curve, Map, curves, data_map
from pipelines.report_runs import Run


def record(epoch, trained, loss):
    return {"epoch": epoch, "trained": trained, "loss": loss}


WARM_UP = {"laps": {"train": {"cpu_seconds": 4.0}}, "energy": {"kwh": 0.04}}
WARM_UP["ends"] = [{"epoch": 0, "cpu_seconds": 3.0, "kwh": 0.03}]
SUBSET = {"laps": {"select": {"cpu_seconds": 0.5}}}
TRAIN = {"ends": [{"epoch": 1, "cpu_seconds": 1.0, "kwh": 0.01}, {"epoch": 2, "cpu_seconds": 2.0, "kwh": 0.02}]}
HISTORY = [record(0, 100, 2.0), record(1, 30, 1.0), record(2, 0, None)]


def test_an_epoch_after_the_warm_up_comes_on_top_of_all_that_went_before():
    curve = report_learning.curve_of("m", HISTORY, WARM_UP, SUBSET, TRAIN)
    assert curve.values == [2.0, 1.0]  # the last epoch trained nothing
    assert curve.spent[:2] == [[100, 130], [3.0, 5.5]]
    assert curve.spent[2] == pytest.approx([30, 50])


def test_an_epoch_of_which_no_time_is_known_stands_against_examples_alone():
    curve = report_learning.curve_of("m", HISTORY, WARM_UP | {"ends": []}, SUBSET, {})
    assert curve.spent == [[100, 130], [None, None], [None, None]]
    drawn = curves([curve], ["a", "b", "c"], "loss")
    assert [len(axes.lines) for axes in drawn.axes] == [1, 0, 0]
    assert drawn.axes[0].get_yscale() == "log"


def test_a_loss_below_0_is_drawn_as_it_is():
    assert curves([Curve("m", [[1, 2]], [0.5, -0.5])], ["a"], "loss").axes[0].get_yscale() == "linear"


def run(name, kind, trained):
    made, n = Run(name), len(trained)
    confidence = np.linspace(0, 1, n)
    confidence[0] = np.nan
    ledger = {"confidence": confidence, "variability": np.zeros(n), "trained": np.asarray(trained)}
    made.__dict__.update({"kind": kind, "ledger": ledger})
    return made


@pytest.mark.parametrize(("examples", "points", "said"), [(11, 20, "All 10 examples"), (31, 20, "20 of 30 examples")])
def test_the_map_has_a_panel_for_each_method_that_chooses(monkeypatch, examples, points, said):
    monkeypatch.setattr(report_learning, "POINTS", points)
    full = run("full", "full", [6] * examples)
    (section,) = report_learning._data_map([full, run("a", "uniform", [3] * examples), run("b", "infobatch", [2] * examples)])
    assert said in section.figures[0].caption
    assert "over the 6 times" in section.text[0]
    assert report_learning._data_map([full]) == []
    full.ledger["confidence"][:] = np.nan
    assert report_learning._data_map([full, run("b", "infobatch", [2] * examples)]) == []


def test_the_map_is_coloured_by_how_often_each_example_was_trained_on():
    p = np.array([0.1, 0.9])
    figure = data_map(p, p, [Map("a", np.array([0, 6])), Map("b", np.array([6, 6]))], 6)
    first, second = (axes.collections[0] for axes in figure.axes[:2])
    assert first.get_array().tolist() == [0, 6]
    assert second.get_array().tolist() == [6, 6]
    assert first.get_clim() == (0, 6)
