"""What a study found, against pandas and by hand."""

import itertools
from dataclasses import replace
from operator import itemgetter
from statistics import stdev

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, ttest_rel

from components.costs.savings import mean_and_deviation, ranks
from pipelines.costs.account import Gains
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.study_summary import columns_at, summary
from pipelines.trials.study_tables import points
from tests.pipelines.trials.study_of_two import HIGH, LOW, TRIALS, by_method, rows_of

GRID = Grid(TRIALS, None)
FIRST = itemgetter(0)


def drawn(levels):
    """Return values of few levels, so that many are equal."""
    rng = np.random.default_rng(7)
    table = {(c.name, s): float(rng.integers(levels)) / levels for c in TRIALS for s in (0, 1, 2)}
    return lambda trial, seed: table[trial, seed]


def drawn_for(trials):
    rng = np.random.default_rng(3)
    table = {(c.name, s): float(rng.random()) for c in trials for s in (0, 1, 2)}
    return lambda trial, seed: table[trial, seed]


def by_pandas(rows, metric):
    """Return mean, deviation and mean rank of each column, by joins and group-bys."""
    frame = pd.DataFrame([row.columns() for row in rows])[["cell", "seed", metric.name]].rename(columns={metric.name: "value"})
    parts = [(f, column, trial) for f in (0.1, 0.5) for column, names in columns_at(GRID, f, FIRST).items() for trial in names]
    joined = pd.DataFrame(parts, columns=["fraction", "column", "cell"]).merge(frame, on="cell")
    means = joined.groupby(["column", "seed", "fraction"])["value"].mean().groupby(["column", "seed"]).mean()
    once = joined.drop_duplicates(["fraction", "seed", "cell"])
    study = once.groupby(["fraction", "seed"])["value"].rank(ascending=not metric.higher, method="average")
    placed = joined.merge(once.assign(rank=study)[["fraction", "seed", "cell", "rank"]], on=["fraction", "seed", "cell"])
    rank = placed.groupby(["column", "fraction", "seed"])["rank"].mean().groupby("column").mean()
    return means.groupby("column").agg(["mean", "std"]).assign(rank=rank)


@pytest.mark.parametrize("metric", [HIGH, LOW], ids=lambda m: m.name)
@pytest.mark.parametrize("levels", [1000, 3, 1])
def test_means_deviations_and_ranks_are_those_of_pandas(metric, levels):
    rows = rows_of(drawn(levels), metric)
    found, expected = summary(rows, GRID, metric), by_pandas(rows, metric)
    assert list(found) == ["full", "uniform", "short", "a", "b", "c"]
    for column, values in found.items():
        wanted = expected.loc[column]
        assert (values.mean, values.rank) == (pytest.approx(wanted["mean"]), pytest.approx(wanted["rank"]))
        assert values.deviation == pytest.approx(wanted["std"])
        assert (values.seeds, values.ranked) == (3, 6)


def test_by_hand():
    value = {"full": 0.9, "a-0.1": 0.5, "a-0.5": 0.7, "b-0.1": 0.8, "b-0.5": 0.9, "c": 0.9}
    value |= {"uniform-at-2.0": 0.5, "short-at-2.0": 0.6, "uniform-at-4.0": 0.6, "short-at-4.0": 0.8}
    value |= {"uniform-at-5.0": 0.7, "short-at-5.0": 0.7}
    found = summary(rows_of(lambda trial, seed: value[trial], seeds=(0,)), GRID, HIGH)
    # At 0.1: two of .9, b .8, two of .7, short .6, a and uniform .5. At 0.5: three of .9, short .8, three of .7, uniform .6.
    assert {k: v.rank for k, v in found.items()} == {
        "full": (1.5 + 2) / 2,
        "uniform": ((7.5 + 4.5) / 2 + (8 + 2 + 6) / 3) / 2,
        "short": ((6 + 4.5) / 2 + (4 + 2 + 6) / 3) / 2,
        "a": (7.5 + 6) / 2,
        "b": (3 + 2) / 2,
        "c": (1.5 + 2) / 2,
    }
    assert found["a"].mean == pytest.approx(0.6)
    assert found["uniform"].mean == pytest.approx(((0.5 + 0.7) / 2 + (0.6 + 0.9 + 0.7) / 3) / 2)


def test_one_seed_has_no_deviation():
    found = summary(rows_of(drawn(9), seeds=(1,)), GRID, HIGH)
    assert {v.deviation for v in found.values()} == {None}
    for row in by_method(rows_of(drawn(9), seeds=(1,)), GRID, HIGH):
        assert row["accuracy_deviation"] is None
        assert not row["above_controls"]
        assert {row[f"gain_over_short_{k}"] for k in ("deviation", "low", "high", "p")} == {None}
        assert row["accuracy"] is not None


def test_a_cell_that_failed_takes_its_seed_out_of_its_column_alone():
    value = drawn(1000)
    whole = summary(rows_of(value), GRID, HIGH)
    found = summary(rows_of(lambda c, s: None if (c, s) == ("a-0.1", 1) else value(c, s)), GRID, HIGH)
    assert found["a"].seeds == 2
    assert found["a"].ranked == 5
    kept = [(value("a-0.1", s) + value("a-0.5", s)) / 2 for s in (0, 2)]
    assert found["a"].mean == pytest.approx(sum(kept) / 2)
    assert found["a"].deviation == pytest.approx(stdev(kept))
    for column in ("full", "uniform", "short", "b", "c"):
        assert found[column].mean == whole[column].mean


def test_a_study_in_which_everything_failed_is_a_table_of_nothing():
    rows = rows_of(lambda trial, seed: None)
    assert {(v.mean, v.rank, v.seeds) for v in summary(rows, GRID, HIGH).values()} == {(None, None, 0)}
    assert {r["accuracy"] for r in by_method(rows, GRID, HIGH)} == {None}


def test_methods_without_fractions_are_compared_once():
    grid = Grid(tuple(c for c in TRIALS if c.method in ("full", "c") or c.name.endswith("5.0")), None)
    found = summary(rows_of(drawn(1000), trials=grid.trials), grid, HIGH)
    assert list(found) == ["full", "uniform", "short", "c"]
    assert {v.ranked for v in found.values()} == {3}


@pytest.mark.parametrize("metric", [HIGH, LOW], ids=lambda m: m.name)
def test_gains_are_paired_by_seed_and_positive_where_the_method_is_better(metric):
    value = drawn(1000)
    rows = {(r["method"], r["fraction"]): r for r in by_method(rows_of(value, metric), GRID, metric)}
    assert next(iter(rows)) == ("full", None)
    gains = [(1 if metric.higher else -1) * (value("a-0.5", s) - value("short-at-4.0", s)) for s in (0, 1, 2)]
    assert rows["a", 0.5]["gain_over_short"] == pytest.approx(np.mean(gains))
    assert rows["a", 0.5]["gain_over_short_deviation"] == pytest.approx(np.std(gains, ddof=1))
    assert rows["a", 0.5]["short"] == pytest.approx(np.mean([value("short-at-4.0", s) for s in (0, 1, 2)]))
    assert rows["full", None]["short"] is None
    test = ttest_rel(*([value(c, s) for s in (0, 1, 2)] for c in ("a-0.5", "short-at-4.0")))
    assert rows["a", 0.5]["gain_over_short_p"] == pytest.approx(test.pvalue)


def better(trial, seed):
    return {"a-0.1": 0.9, "a-0.5": 0.9, "uniform-at-2.0": 0.8, "short-at-2.0": 0.8, "uniform-at-4.0": 0.8}.get(trial, 0.95) + (
        0.001 * seed if trial[0] == "a" else 0
    )


def test_better_than_both_controls_is_said_of_three_seeds_and_of_both_alone():
    rows = {(r["method"], r["fraction"]): r for r in by_method(rows_of(better), GRID, HIGH)}
    assert rows["a", 0.1]["above_controls"] is True
    assert rows["a", 0.5]["above_controls"] is False
    assert rows["full", None]["above_controls"] is None
    rows = by_method(rows_of(better, seeds=(0, 1)), GRID, HIGH)
    assert {r["above_controls"] for r in rows} == {None}


SWEPT = tuple(Trial(f"m-start-{s}", "method", "m", cost=3.0, controls=("full",), settings=(("start", s),)) for s in (0.1, 0.2))


def test_settings_are_columns_of_their_own_and_one_is_the_methods_best():
    grid = Grid((*TRIALS, *SWEPT), None)
    rows = rows_of(drawn_for(grid.trials), trials=grid.trials)
    agot = {"m-start-0.1": 0.9, "m-start-0.2": 1.1}
    rows = [replace(r, gains=Gains(agot.get(r.head.cell, 1.0), 1.0)) for r in rows]
    found = summary(rows, grid, HIGH)
    assert list(found)[-2:] == ["m-start-0.1", "m-start-0.2"]
    told = [r for r in by_method(rows, grid, HIGH) if r["method"] == "m"]
    assert [(r["settings"], r["agot_best"]) for r in told] == [('{"start": 0.1}', False), ('{"start": 0.2}', True)]
    assert [p.columns()["settings"] for p in points(rows, grid, HIGH)][-2:] == ['{"start": 0.1}', '{"start": 0.2}']


def test_a_column_is_the_mean_over_the_fractions_that_it_has():
    trials = (*TRIALS[:3], Trial("d-0.3", "method", "d", 0.3, 3.0, ("full",)), *TRIALS[6:])
    value = drawn_for(trials)
    found = summary(rows_of(value, trials=trials), Grid(trials, None), HIGH)
    assert found["d"].mean == pytest.approx(np.mean([value("d-0.3", s) for s in (0, 1, 2)]))
    assert found["a"].seeds == 3


def test_ranks_are_scipys():
    for values in itertools.product([0.0, 0.5, 1.0], repeat=4):
        assert ranks(values, higher=False) == rankdata(values).tolist()
        assert ranks(values, higher=True) == rankdata([-v for v in values]).tolist()


def test_mean_and_deviation():
    assert mean_and_deviation([]) == (None, None)
    assert mean_and_deviation([2.0]) == (2.0, None)
    assert mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
