"""Columns and gains of a comparison come from what each method cost."""

import pytest

from pipelines.core import artifacts
from pipelines.costs.account import Account, CostColumns, Gains

SECONDS = {"cpu_seconds": 0.0, "wall_seconds": 0.0}
SPENT = {"cpu_seconds": 1.0, "wall_seconds": 2.0, "kwh": 0.5, "co2e_kg": 0.25, "measured_kwh": 0.0, "estimated_kwh": 0.5}
METHOD = {
    "counts": {"examples": 100, "drawn": 100, "looked": 20, "kept": 10, "trained": 40, "steps": 5},
    "planned_cost_epochs": 2.0,
    "spent": {stage: SPENT for stage in ("warm_up", "subset", "train", "total")} | {"selection": {"cpu_seconds": 0.75}},
    "evaluate": SECONDS,
    "energy": {"label": "estimated", "kwh": 0.5, "measured_kwh": 0, "estimated_kwh": 0.5, "co2e_kg": 0.25, "method": "x"},
    "energy_modelled": {"label": "modelled", "kwh": 0.125, "co2e_kg": 0.0625},
    **{"alpha_b": 0.1, "alpha_fb": 0.5, "paper_cpu_seconds": 3.0, "counted_cpu_seconds": 4.0, "measured_cpu_seconds": 5.0},
    **{"time_paper": 0.25, "time_counted": 0.4, "time_measured": 0.5, "measured_over_counted": 1.25},
    **{"speed_reached": 2.0, "speed_ceiling": 2.5, "speed_share": 0.8, "speed_formula": None},
}


def test_the_columns_are_those_of_the_account_that_was_written(tmp_path):
    shared = {"prepare": SECONDS, "offered": 100, "unit_cpu_seconds": {"forward": 0.1, "backward": 0.2}}
    Account.of({"methods": {"short": METHOD}, **shared}).write(tmp_path / artifacts.ACCOUNT)
    found = CostColumns.of(Account.settled(tmp_path).methods["short"]).columns()
    same = {key: METHOD[key] for key in found if key in METHOD}
    assert len(same) == 12
    assert found == same | {
        "cpu_seconds": 5.0,
        "wall_seconds": 2.0,
        "selection_cpu_seconds": 0.75,
        "energy_kwh": 0.5,
        "energy_measured_kwh": 0,
        "energy_estimated_kwh": 0.5,
        "energy_label": "estimated",
        "co2e_kg": 0.25,
        "energy_modelled_kwh": 0.125,
        "co2e_modelled_kg": 0.0625,
    }


def test_without_an_account_no_column_is_known():
    assert set(CostColumns.of(None).columns().values()) == {None}


def test_gains_by_either_time_by_hand():
    # Of the .8 that full gains .75, in half of the time as measured, and in a quarter of it by the paper.
    gains = Gains.of(0.85, 0.1, 0.9, CostColumns(time_measured=0.5, time_paper=0.25), 0.95, higher=True)
    assert gains.agot == pytest.approx(0.75 / 0.8 * 0.5**-0.05)
    assert gains.agot_paper == pytest.approx(0.75 / 0.8 * 0.25**-0.05)


@pytest.mark.parametrize("missing", [{"score": None}, {"base": None}, {"full": None}, {"costs": CostColumns()}], ids=str)
def test_where_something_is_missing_there_is_no_gain(missing):
    known = {"score": 0.85, "base": 0.1, "full": 0.9, "costs": CostColumns(time_measured=0.5, time_paper=0.25)}
    assert Gains.of(**known | missing, epsilon=0.95, higher=True) == Gains(None, None)
