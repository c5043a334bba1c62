"""Bars, histograms, curves and maps draw the numbers that they are given."""

import numpy as np

from pipelines.report.section_charts import Bar, Curve, Map, Scores, bars, curves, data_map, histograms


def test_the_cut_is_drawn_only_where_scores_alone_made_it():
    values = np.array([0.1, 0.5, 0.7, np.nan])
    assert Scores("a", values, np.array([False, True, True, False])).cut == 0.5
    assert Scores("a", values, np.array([True, False, True, False])).cut is None
    assert Scores("a", values, np.array([True, True, True, False])).cut is None
    drawn = [p.get_height() for p in histograms([Scores("a", values, values > 0.6)]).axes[0].patches]
    assert sum(drawn) == 3


def test_infinite_scores_stand_beyond_the_others():
    values = np.array([0.0, 2.0, np.inf, np.nan])
    shown = Scores("a", values, values > 1).finite()
    np.testing.assert_array_equal(shown.values, [0, 2, 3, np.nan])
    assert shown.title == "a, infinite ones at the end"
    axes = histograms([Scores("a", values, values > 1)]).axes[0]
    assert sum(p.get_height() for p in axes.containers[1]) == 2
    assert Scores("a", np.full(2, np.inf), np.array([True, False])).finite().values.tolist() == [1, 1]


def test_bars_are_stacked_and_parts_that_take_nothing_are_left_out():
    axes = bars([Bar("a", [1, 2]), Bar("none", [0, 0]), Bar("b", [3, 0], apart=True)], ["x", "y"]).axes[0]
    assert [(p.get_x(), p.get_width(), p.get_hatch()) for p in axes.patches] == [
        (0, 1, None), (0, 2, None), (1, 3, "////"), (2, 0, "////")
    ]  # fmt: skip


def test_a_loss_below_0_is_drawn_as_it_is():
    assert curves([Curve("m", [[1, 2]], [0.5, -0.5])], ["a"], "loss").axes[0].get_yscale() == "linear"


def test_the_map_is_coloured_by_how_often_each_example_was_trained_on():
    p = np.array([0.1, 0.9])
    figure = data_map(p, p, [Map("a", np.array([0, 6])), Map("b", np.array([6, 6]))], 6)
    first, second = (axes.collections[0] for axes in figure.axes[:2])
    assert first.get_array().tolist() == [0, 6]
    assert second.get_array().tolist() == [6, 6]
    assert first.get_clim() == (0, 6)
