"""Rows of trials with the values of a test's own."""

from components.costs.savings import Metric
from pipelines.costs.account import CostColumns, Gains
from pipelines.trials import study_summary
from pipelines.trials.grid import Trial
from pipelines.trials.method_rows import NUMBERS, MethodRow
from pipelines.trials.rows import Head, Reached, TrialRow

HIGH, LOW = Metric("accuracy", True), Metric("perplexity", False)
#: Two methods at two fractions, one of none; a and b cost the same at 0.1, and b costs as much as full at 0.5.
TRIALS = (
    Trial("full", "full", "full", cost=6.0),
    Trial("a-0.1", "method", "a", 0.1, 2.0, ("uniform-at-2.0", "short-at-2.0")),
    Trial("a-0.5", "method", "a", 0.5, 4.0, ("uniform-at-4.0", "short-at-4.0")),
    Trial("b-0.1", "method", "b", 0.1, 2.0, ("uniform-at-2.0", "short-at-2.0")),
    Trial("b-0.5", "method", "b", 0.5, 6.0, ("full",)),
    Trial("c", "method", "c", None, 5.0, ("uniform-at-5.0", "short-at-5.0")),
    *(Trial(f"{k}-at-{c}", "control", k, cost=c) for c in (2.0, 4.0, 5.0) for k in ("uniform", "short")),
)
COSTS = CostColumns(energy_label="estimated", **dict.fromkeys(NUMBERS, 1.0))


def rows_of(value, metric=HIGH, trials=TRIALS, seeds=(0, 1, 2)):
    """Return a row a seed and trial, with ``value(trial, seed)``; None is a trial that failed."""
    head = [(c, s) for s in seeds for c in trials]
    return [
        TrialRow(Head.of(c), s, c.cost, 1.0, metric.name, Reached(value(c.name, s), loss=1.0), COSTS, Gains(1.0, 1.0), "")
        for c, s in head
    ]


def by_method(rows, grid, metric):
    """Return the columns of each method's row, which are the same when they are read as a row again."""
    told = study_summary.by_method(rows, grid, metric)
    columns = [row.columns() for row in told]
    assert [MethodRow.of(row, metric.name) for row in columns] == told
    assert {tuple(row) for row in columns} == {tuple(columns[0])}
    return columns
