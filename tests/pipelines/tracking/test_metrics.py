"""Metrics of a method's run are the numbers of its files, each at its epoch."""

from types import SimpleNamespace

import pytest
from mlflow.utils.validation import _validate_metric_name

from components.epoch_records import ValidatedEpoch
from pipelines.core.artifacts import HERE, cost_of, plan_of, result, write_json
from pipelines.costs.history import write_history
from pipelines.tracking import metrics
from tests.pipelines.records import cost_record, epoch_record, method_plan

HISTORY = [
    epoch_record(0, trained=10, looked=4, course=[{"place": 0.5, "big": 0.4}]),
    epoch_record(1, trained=6, looked=0, loss=None),
]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Go to a folder in which the method ``a`` has run."""
    monkeypatch.chdir(tmp_path)
    write_history(result("train", "a", "history.json"), HISTORY)
    tested = {"accuracy": 0.9, "base_accuracy": 0.1, "chance_accuracy": 0.2, "above_chance": 0.5}
    write_json(result("evaluate", "a", "metrics.json"), tested)
    cost_record().write(cost_of("train", "a"))


def test_each_epoch_and_the_test_split_have_their_metrics(trained):
    found = metrics.metrics_of("a", "model-1")
    assert {(m.key, m.step): m.value for m in found if m.key not in ("accuracy", "drawn", "learning_rate")} == {
        ("loss", 0): 0.5, ("looked", 0): 4, ("looked", 1): 0, ("trained", 0): 10, ("trained", 1): 6, ("course_big", 500): 0.4,
        ("examples_trained_so_far", 0): 10, ("examples_trained_so_far", 1): 16,
        ("examples_looked_so_far", 0): 4, ("examples_looked_so_far", 1): 4,
        ("test_accuracy", 0): 0.9, ("base_accuracy", 0): 0.1, ("chance_accuracy", 0): 0.2, ("above_chance", 0): 0.5,
    }  # fmt: skip
    assert {m.key for m in found if m.model_id} == {"test_accuracy", "base_accuracy", "chance_accuracy", "above_chance"}
    written = result("train", "a", "history.json").stat().st_mtime
    assert {m.timestamp for m in found if m.key == "loss"} == {int(1000 * written)}


def test_a_column_s_name_is_written_as_mlflow_takes_it(trained):
    names = {"r2.size (mm)": "r2.size _mm_", "rmse.km//h": "rmse.km__h", "mae.Höhe": "mae.Höhe", "accuracy": "accuracy"}
    assert {name: metrics.accepted(name) for name in names} == names
    for name in names.values():
        _validate_metric_name(name)
    write_json(result("evaluate", "a", "metrics.json"), {"r2": 0.5, "r2.size (mm)": 0.5})
    assert {m.key for m in metrics.metrics_of("a") if m.key.startswith("test_")} == {"test_r2", "test_r2.size _mm_"}


def test_an_evaluation_while_training_is_at_its_epoch_beside_its_cost(trained):
    method_plan("a", warm_up="none").write(plan_of("methods", "a"))
    judged = ValidatedEpoch(**vars(HISTORY[1]), validation={"accuracy": 0.7, "loss": 0.4})
    write_history(result("train", "a", "history.json"), [HISTORY[0], judged])
    cost_record(laps={}).write(cost_of("warm_up", "none"))
    cost_record(laps={"select": cost_record().laps["train"].dumped()}).write(cost_of("subset", "a"))
    cost_record(ends=[{"epoch": 1, "cpu_seconds": 1.5, "kwh": 0.001}]).write(cost_of("train", "a"))
    found = {(m.key, m.step): m.value for m in metrics.metrics_of("a")}
    assert {k: v for k, v in found.items() if k[0].startswith(("validation", "cpu_seconds", "wh_"))} == {
        ("validation_accuracy", 1): 0.7,
        ("validation_loss", 1): 0.4,
        ("cpu_seconds_so_far", 1): 3.5,
        ("wh_so_far", 1): pytest.approx(4.0),
    }


def test_counted_seconds_are_of_the_passes_so_far(trained):
    account = SimpleNamespace(unit_cpu_seconds=SimpleNamespace(forward=2.0, backward=3.0))
    # 4 looks of 2 seconds and 10 steps of 5; then 6 steps more.
    assert metrics._counted("a", account, HERE) == [
        ("counted_cpu_seconds_so_far", 58.0, 0),
        ("counted_cpu_seconds_so_far", 88.0, 1),
    ]


def spent(seconds, label, kwh):
    energy, modelled = (SimpleNamespace(label=name, kwh=e, co2e_kg=0.5) for name, e in ((label, kwh), ("modelled", 2 * kwh)))
    stages = SimpleNamespace(total=SimpleNamespace(wall_seconds=1.0), selection=SimpleNamespace(cpu_seconds=0.5))
    own = {"measured_cpu_seconds": seconds, "spent": stages, "energy": energy, "energy_modelled": modelled}
    return SimpleNamespace(**dict.fromkeys(metrics.IN_ACCOUNT, 1.0) | {"speed_formula": None, "validation": None} | own)


def test_what_was_saved_is_told_of_energy_that_was_come_by_alike(trained):
    account = SimpleNamespace(methods={"full": spent(10.0, "estimated", 0.5), "a": spent(4.0, "measured", 0.25)})
    found = {name: value for name, value, _ in metrics._costs("a", account, HERE)}
    assert {k: v for k, v in found.items() if k.startswith(("saved", "energy", "cpu"))} == {
        "cpu_seconds": 4.0, "saved_cpu_seconds": 6.0, "energy_kwh_measured": 0.25,
        "energy_kwh_modelled": 0.5, "saved_energy_kwh_modelled": 0.5,
    }  # fmt: skip
    assert "speed_formula" not in found
    assert found["train_cpu_seconds_forward"] == 0.5


def test_without_an_account_there_are_no_costs(trained):
    tracker = SimpleNamespace(root=HERE, lock=SimpleNamespace(holds=lambda stage: False))
    assert metrics.CostMetrics(tracker).of("a") == ([], {})
