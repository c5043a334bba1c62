"""A proposal's certainty, its cost, and when that is paid back."""

import pytest

from components.costs.halving import Goal, Outcome
from components.costs.paired import paired
from components.costs.savings import Metric
from pipelines.advise import proposal, rungs
from pipelines.advise.records import Answer, Nothing, Spent
from pipelines.costs.account import CostColumns, Gains
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.rows import Head, Reached, TrialRow
from pipelines.trials.study_folder import StudyFolder


def test_costs_are_added_up_and_paid_back():
    costs = {"a": Spent(cpu_seconds=30.0, energy_kwh=0.1), "b": Spent(cpu_seconds=12.0, energy_kwh=0.2)}
    told = proposal.balance(answer("control"), "cpu_seconds", costs, {"a": costs["a"], "c": costs["b"]})
    assert told.cost.dumped() == {"cpu_seconds": 42.0, "energy_kwh": pytest.approx(0.3)}
    assert told.cost_now.dumped() == {"cpu_seconds": 12.0, "energy_kwh": 0.2}
    assert (told.saving, told.paid_back_after) == (4.0, 11)
    # A record that was made anew was paid for now.
    again = proposal.balance(answer("full"), "cpu_seconds", costs, {"a": costs["b"]})
    assert again.cost_now.cpu_seconds == 42.0
    assert again.paid_back_after is None


def answer(kind):
    had = {"score": 0.9, "cost": 6.0, "full_score": 0.9, "full_cost": 10.0, "cost_ratio": None, "gains": {}}
    return Answer.of({"kind": kind, "name": "a", "method": "a"} | had)


def test_a_budget_that_nothing_fits_is_told_with_what_is_cheapest():
    outcomes = [Outcome("full", "full", 0.9, 9.0), Outcome("short-at-2.0", "control", 0.8, 3.0)]
    last = rungs.Rung(1.0, None, 1.0, [], outcomes, [])
    nothing = Nothing(kind="nothing", name=None)
    assert proposal.answer_of(last, Goal("budget", 1.0, higher=True), Metric("accuracy", True)) == nothing
    told = proposal.sentence(nothing, "kWh", last, Metric("accuracy", True))
    assert told == "none: nothing fits the budget; the cheapest trial, short-at-2.0, takes 3 kWh"


@pytest.mark.parametrize(
    ("error", "least", "sure"), [(0.001, -0.02, True), (0.01, -0.02, False), (0.001, -0.012, False), (0.001, None, None)]
)
def test_a_gain_is_sure_only_by_its_seeds_and_its_examples(error, least, sure):
    """The mean is -0.01, the interval over three seeds -0.01 +- 4.303 * 0.001 / sqrt(3), and over examples 1.96 errors."""
    gain = paired([0.889, 0.89, 0.891], [0.9, 0.9, 0.9], higher=True)
    assert proposal.surely(gain, error, least) is sure
    assert proposal.surely(paired([0.9, 0.89], [0.8, 0.8], higher=True), error, least) is None


def rows_of(name, role, cost, scores):
    """Return a row a seed; of one without a score the trial failed."""
    head = Head(name, role, name, None, "")
    rows = []
    for seed, score in enumerate(scores):
        spent, error = (None, "the loss is nan") if score is None else (cost, "")
        rows.append(TrialRow(head, seed, cost, spent, "accuracy", Reached(score), CostColumns(), Gains(), error))
    return rows


@pytest.mark.parametrize("better", [[0.99, None], [None, 0.99]])
def test_a_control_that_failed_with_a_seed_is_no_part_of_the_cost_ratio(tmp_path, better):
    """Its other seed alone would be the best control; without it ``full`` needs 10 epochs for what the method has in 4."""
    rows = [
        *rows_of("full", "full", 10.0, [0.9, 0.9]),
        *rows_of("short-at-5", "control", 5.0, better),
        *rows_of("a-0.4", "method", 4.0, [0.9, 0.9]),
    ]
    method = Trial("a-0.4", "method", "a", 0.4, 4.0)
    trials = (Trial("full", "full", "full", cost=10.0), Trial("short-at-5", "control", "short", cost=5.0), method)
    outcomes = [Outcome("full", "full", 0.9, 10.0), Outcome("a-0.4", "method", 0.9, 4.0)]
    last = rungs.Rung(1.0, StudyFolder(tmp_path, Grid(trials, None), (0, 1)), 1.0, rows, outcomes, [])
    ratio = proposal._cost_ratio(last, method, Metric("accuracy", True))
    assert (ratio.value, ratio.bound) == (0.4, "")


def test_a_method_that_failed_with_a_seed_has_no_cost_ratio(tmp_path):
    rows = [*rows_of("full", "full", 10.0, [0.9, 0.9]), *rows_of("a-0.4", "method", 4.0, [0.9, None])]
    last = rungs.Rung(1.0, StudyFolder(tmp_path, None, (0, 1)), 1.0, rows, [], [])
    assert proposal._cost_ratio(last, Trial("a-0.4", "method", "a", 0.4, 4.0), Metric("accuracy", True)) is None
