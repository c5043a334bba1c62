"""The row of a study's method: means over seeds, and columns that are read as written."""

from dataclasses import replace

import pytest

from pipelines.costs.account import CostColumns, Gains
from pipelines.costs.validation_curve import TimeTo
from pipelines.trials.method_rows import BEST, AgainstControl, Control, GainOver, Means, MethodRow, RatioOver, Spread
from pipelines.trials.rows import Head, Reached, TrialRow


def test_a_spread_is_of_the_values_that_there_are():
    assert Spread.of([1.0, None, 3.0]) == Spread(2.0, pytest.approx(2**0.5))
    assert Spread.of([None, 3.0]) == Spread(3.0, None)
    assert Spread.of([]) == Spread(None, None)


def trial(seed, score, seconds):
    costs = CostColumns(cpu_seconds=seconds, energy_label="measured")
    head = Head("a", "method", "a", None, "")
    return TrialRow(head, seed, 2.0, 2.0 + seed, "accuracy", Reached(score, examples_trained=10), costs, Gains(1.5), "")


def test_means_and_deviations_are_taken_column_by_column():
    rows = [trial(0, 0.75, 1.0), trial(1, 0.25, 4.0)]
    means, deviations = (Means.of(rows, fold) for fold in (lambda s: s.mean, lambda s: s.deviation))
    assert (means.score, means.cost_epochs, means.costs.cpu_seconds, means.gains.agot) == (0.5, 2.5, 2.5, 1.5)
    assert (means.chance, means.costs.wall_seconds, means.costs.energy_label) == (None, None, "measured")
    # Of two values, half of their difference times the square root of 2.
    assert deviations.score == pytest.approx(0.25 * 2**0.5)
    assert (deviations.costs.cpu_seconds, deviations.examples_trained) == (pytest.approx(1.5 * 2**0.5), 0.0)


@pytest.mark.parametrize(
    "reached", [(TimeTo(10, 1.0, 0.1), TimeTo(30, 3.0, 0.3)), (TimeTo(10, 1.0, 0.1), TimeTo()), (None, None)]
)
def test_what_a_score_took_is_a_mean_of_all_seeds_or_blank(reached):
    rows = [replace(trial(seed, 0.5, 1.0), time_to=one) for seed, one in enumerate(reached)]
    means = Means.of(rows, lambda s: s.mean)
    columns = means.columns("accuracy")
    blank = dict.fromkeys(("time_to_examples", "time_to_cpu_seconds", "time_to_kwh"))
    by_hand = {None: {}, TimeTo(): blank}
    full = {"time_to_examples": 20.0, "time_to_cpu_seconds": 2.0, "time_to_kwh": pytest.approx(0.2)}
    assert {k: v for k, v in columns.items() if k.startswith("time_to")} == by_hand.get(reached[1], full)
    row = MethodRow("a", None, "", 2.0, 2, "accuracy", means, Means.of(rows, lambda s: s.deviation), {})
    assert MethodRow.of(row.columns(), "accuracy") == row


def test_a_row_is_read_as_it_was_written_under_the_names_of_its_controls():
    estimated = CostColumns(cpu_seconds=3.0, energy_label="estimated")
    short = AgainstControl(Control(0.88, 0.02, "short-at-2.0"), GainOver(0.02, 0.01, 0.005, 0.035, 0.03))
    row = MethodRow(
        method="a",
        fraction=0.3,
        settings="",
        planned_cost_epochs=2.0,
        seeds=3,
        metric="r2",
        means=Means(0.9, 0.1, 0.7, 2.0, 10.0, estimated, Gains(1.2, 1.1)),
        deviations=Means(0.01, costs=CostColumns(energy_label="estimated")),
        held={"short": short, BEST: short},
        cost_ratio=RatioOver(0.5, 0.4, 0.6, "at most"),
        above_controls=True,
    )
    columns = row.columns()
    assert MethodRow.of(columns, "r2") == row
    named = {"r2": 0.9, "r2_deviation": 0.01, "chance_r2": 0.1, "cpu_seconds": 3.0, "cpu_seconds_deviation": None}
    named |= {"short": 0.88, "short_deviation": 0.02, "short_cell": "short-at-2.0", "gain_over_short": 0.02}
    named |= {"gain_over_short_low": 0.005, "gain_over_best_control_p": 0.03, "cost_ratio": 0.5, "cost_ratio_bound": "at most"}
    assert named.items() <= columns.items()
    assert (row.score, row.best_control) == (Spread(0.9, 0.01), short)
