"""What is said of methods by regime, over several tasks."""

import json

import pytest

from pipelines.config.loader import load
from pipelines.study.across_tasks import by_regime, joined, verdicts
from pipelines.study.tasks import bases
from tests.pipelines.study_rows import method_row, study_tables

NOISY = {"task": "digits", "label_noise": {"fraction": 0.2}}


def row(method, fraction=None, above=None, uniform=None, short=None, score=0.9):
    gains = {"uniform": uniform, "short": short}
    best = None if None in gains.values() else min(gains, key=gains.__getitem__)
    gain = best and gains[best]
    ends = {f"gain_over_best_control{k}": gain and gain + d for k, d in {"": 0, "_low": -0.01, "_high": 0.01}.items()}
    ends |= {f"gain_over_best_control{k}": gain and 0.04 for k in ("_deviation", "_p")}
    ends |= {f"{r}{k}": gain and 0.5 for r in ("cost_ratio", "cpu_ratio") for k in ("", "_low", "_high")}
    ends["best_control_cell"] = best
    told = {"method": method, "fraction": fraction, "accuracy": score, "cost_epochs": 2.0}
    return method_row(**told, above_controls=above, **ends)


def written(*rows):
    return study_tables([row("full", score=0.95), *rows])


FOUND = {
    # Of a, the first trial gains .02 over the better control, and the second .05 over short but surely over one alone.
    "digits": written(row("a", 0.1, True, 0.02, 0.03), row("a", 0.3, False, 0.06, 0.05), row("b", None, False, -0.01, 0.2)),
    "noisy": written(row("a", 0.1, False, 0.02, 0.01), row("b", None, False, 0.0001, 0.2)),
    "few": written(row("a", 0.1, None, 0.02, 0.03), row("b")),
}


@pytest.fixture
def rows(asked):
    found = asked({"digits": None, "noisy": NOISY, "few": {"task": "digits"}})
    return by_regime(FOUND, found, bases(load()))


def test_by_regime_by_hand(rows):
    found = {(r.task, r.method): r.columns() for r in rows}
    assert len(rows) == len(found) == 6
    first = found["digits", "a"]
    assert (first["fraction"], first["control"], first["gain"], first["above_controls"]) == (0.1, "uniform", 0.02, True)
    assert (first["gain_low"], first["gain_high"], first["gain_p"]) == (pytest.approx(0.01), pytest.approx(0.03), 0.04)
    assert (first["above"], first["cells"], first["full"]) == (1, 2, 0.95)
    assert (found["digits", "b"]["control"], found["digits", "b"]["gain"]) == ("uniform", -0.01)
    assert (found["noisy", "a"]["control"], found["noisy", "a"]["above"]) == ("short", 0)
    assert json.loads(found["noisy", "a"]["options"]) == {"label_noise": {"fraction": 0.2, "by_class": False, "seed": 0}}
    assert found["noisy", "a"]["of"] == "digits"
    assert {found["few", "b"][k] for k in ("gain", "control", "score", "above")} == {None}


def test_the_verdict_names_those_above_both_or_says_none(rows):
    assert verdicts(rows) == [
        "digits: a by 0.0200 (0.0100 to 0.0300) over uniform, in 1 of 2 trials",
        "noisy: none",
        "few: not known: too few seeds, or trials without results",
    ]


def test_all_rows_are_under_the_columns_that_any_has():
    other = method_row("r2", method="full", r2=0.5)
    found = joined({"digits": FOUND["digits"].methods, "bikes": [other]})
    assert [r["task"] for r in found] == ["digits"] * 4 + ["bikes"]
    assert {tuple(r) for r in found} == {tuple(found[0])}
    assert (found[0]["r2"], found[-1]["r2"], found[-1]["accuracy"]) == (None, 0.5, None)
