"""The table, its files and the figure go by the metric of the task."""

import csv
import json

import pytest

from components.costs.savings import METRICS
from pipelines import compare
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, result, write_json
from pipelines.costs.account import Account
from pipelines.costs.records import EnergySpent
from tests.conftest import ROOT
from tests.pipelines.records import comparison_plan, manifest, method_plan

#: By what a target is: what full and another method reach, and what there is beside it.
SCORES = {
    "class": ({"accuracy": 0.9, "accuracy_standard_error": 0.01, "macro_f1": 0.8, "loss": 0.3}, {"accuracy": 0.85}, 0.1),
    "number": ({"r2": 0.95, "rmse": 40.0, "loss": 0.05}, {"r2": 0.9}, -0.02),
    "tokens": ({"perplexity": 196.0, "loss": 5.28}, {"perplexity": 250.0}, 4096.0),
}


ESTIMATED = {"kwh": 1e-5, "measured_kwh": 0.0, "estimated_kwh": 1e-5, "co2e_kg": 1e-6, "label": "estimated", "method": "x"}
#: What the meter recorded of a training on all movie reviews, beside an NVIDIA H200 and with no counters of the processor.
RECORDED = ROOT / "tests/pipelines/report/recorded/energy_h200.json"


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """Compare two methods that are said to have reached ``SCORES``; return the rows, the csv's and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare.comparison, "page", lambda *made_of: "")  # it has tests of its own

    def run(kind, epsilon=0.95, energy=ESTIMATED):
        full, other, before = SCORES[kind]
        metric = METRICS[kind]
        comparison_plan("full", "other", agot_epsilon=epsilon).write(plan_of("comparison"))
        for name in ("full", "other"):
            method_plan(name).write(plan_of("methods", name))
        manifest(metric=metric.name, higher=metric.higher).write(artifacts.MANIFEST)
        write_json(result("evaluate", "full", "metrics.json"), full | {f"base_{metric.name}": before})
        write_json(result("evaluate", "other", "metrics.json"), full | other)
        methods = {"full": method_account(1.0, energy), "other": method_account(0.5, energy)}
        shared = {"prepare": SECONDS, "offered": 100, "unit_cpu_seconds": {"forward": 0.1, "backward": 0.2}}
        Account.of({"methods": methods, **shared}).write(artifacts.ACCOUNT)
        compare.compare()
        rows = json.loads((artifacts.COMPARISON / "comparison.json").read_text())["rows"]
        with (artifacts.COMPARISON / "comparison.csv").open() as file:
            return rows, list(csv.DictReader(file)), capsys.readouterr().out

    return run


SECONDS = {"cpu_seconds": 0.0, "wall_seconds": 0.0}
SPENT = {"cpu_seconds": 0.0, "kwh": 0.0, "co2e_kg": 0.0, "measured_kwh": 0.0, "estimated_kwh": 0.0}


def method_account(time, energy):
    shares = {"alpha_b": 0, "alpha_fb": 1 - time, "time_counted": time, "time_measured": time, "time_paper": time / 2}
    shares |= {"paper_cpu_seconds": time / 2, "counted_cpu_seconds": time, "measured_over_counted": 1}
    shares |= {"speed_reached": 1 / time, "speed_ceiling": 1 / time, "speed_share": 1, "speed_formula": None}
    spent = dict.fromkeys(("warm_up", "subset", "train", "total"), SPENT | {"wall_seconds": time})
    spent |= {"selection": {"cpu_seconds": 0.0}}
    counts = {"examples": 100, "drawn": 100, "looked": 0, "kept": 0, "trained": int(100 * time), "steps": 10}
    more = {"measured_cpu_seconds": time, "spent": spent, "counts": counts, "planned_cost_epochs": time, "evaluate": SECONDS}
    modelled = {key: energy[key] for key in ("label", "kwh", "co2e_kg")}
    return {**shares, **more, "energy": {key: energy[key] for key in ESTIMATED}, "energy_modelled": modelled}


@pytest.mark.parametrize("kind", SCORES)
def test_rows_columns_and_figure_are_of_the_tasks_metric(compared, kind):
    rows, written, said = compared(kind)
    full, other, before = SCORES[kind]
    metric = METRICS[kind].name
    assert {k: rows[0][k] for k in full} == full
    assert [float(r[metric]) for r in written] == [full[metric], other[metric]]
    assert not any(key.startswith("base_") for key in rows[0])
    gain = (other[metric] - before) / (full[metric] - before)
    assert rows[0]["agot"] == 1
    assert rows[1]["agot"] == pytest.approx(gain * 0.5**-0.05)
    shown = {"class": "0.8500 ± 0.0100", "number": "0.9000", "tokens": "250.00"}[kind]
    assert metric in said
    assert shown in said
    assert (artifacts.COMPARISON / "score_against_time.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("epsilon", [0.5, 1])
def test_agot_is_with_the_epsilon_of_params_by_both_times(compared, epsilon):
    rows, written, _ = compared("class", epsilon)
    gain = 0.75 / 0.8
    assert rows[1]["agot"] == pytest.approx(gain * 0.5 ** (epsilon - 1))
    assert rows[1]["agot_paper"] == pytest.approx(gain * 0.25 ** (epsilon - 1))
    assert written[1]["speed_formula"] == ""
    assert {"co2e_kg", "co2e_modelled_kg", "energy_kwh", "energy_modelled_kwh", "energy_label"} <= written[1].keys()
    assert json.loads((artifacts.COMPARISON / "comparison.json").read_text())["agot_epsilon"] == epsilon


def test_what_counters_told_stands_apart_from_what_was_estimated(compared):
    record = EnergySpent.read(RECORDED)
    told = {f"{label}_kwh": record.by_label(label) for label in ("measured", "estimated")}
    rows, written, said = compared("class", energy=record.dumped() | told)
    assert rows[0]["energy_measured_kwh"] == record.kwh_by_part["gpu"]
    assert float(written[0]["energy_estimated_kwh"]) == pytest.approx(record.kwh - record.kwh_by_part["gpu"])
    assert [head in said for head in ("Wh measured", "Wh estimated")] == [True, True]
    assert "│        0.45 │         0.04 │" in said
    _, _, said = compared("class")
    assert [head in said for head in ("Wh measured", "Wh estimated")] == [False, True]


def test_what_may_be_at_chance_is_marked(compared, monkeypatch):
    full, other, before = SCORES["class"]
    monkeypatch.setitem(SCORES, "class", (full | {"above_chance": 0.2}, other | {"above_chance": -0.01}, before))
    rows, _, said = compared("class")
    assert "0.8500 ± 0.0100 (at chance)" in said
    assert said.count("at chance") == 1
    assert [r["above_chance"] for r in rows] == [0.2, -0.01]
