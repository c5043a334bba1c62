"""The energy section says how each part was measured."""

import json

import pytest

from pipelines.core.artifacts import cost_of, plan_of
from pipelines.report.sections import energy
from tests.conftest import ROOT
from tests.pipelines.records import comparison_row, cost_record, method_plan


def test_a_page_says_what_was_read_of_a_gpu_and_why_not_of_the_processor(tmp_path, monkeypatch):
    recorded = json.loads((ROOT / "tests/pipelines/report/recorded/energy_h200.json").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    cost_record(energy=recorded).write(cost_of("train", "full"))
    monkeypatch.setattr(energy, "_saved", lambda names, controls: None)
    said = energy.of_comparison([comparison_row()], set())[0].text[1]
    assert said.startswith(
        "The processor is estimated: no RAPL counters readable at /sys/class/powercap. The GPU, 1 x NVIDIA H200, "
    )
    assert "is measured: its own counter is read." in said
    cost_record(energy=recorded | {"gpu_model": None}).write(cost_of("train", "full"))
    assert "GPU" not in energy.of_comparison([comparison_row()], set())[0].text[1]


def test_a_warm_up_that_methods_share_was_spent_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        method_plan(name, warm_up="shared").write(plan_of("methods", name))
        cost_record().write(cost_of("train", name))
    cost_record().write(cost_of("warm_up", "shared"))
    # Three records of 0.003 kWh each.
    assert energy._once(["a", "b"]) == pytest.approx(0.009)
