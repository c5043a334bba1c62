"""The plan says what everything costs and what starts from what."""

from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of, read_json
from pipelines.plan import plan


def test_the_plan_says_what_each_warm_up_costs_and_for_whom(write_params, capsys):
    write_params({})
    plan()
    said = capsys.readouterr().err
    assert "plan: 5 methods and 1 warm-up: 17.8 epochs, 3.56 times full" in said
    assert "two-epochs, 2 epochs, for swiftlearn, the diagnosis" in said
    assert artifacts.read_json(artifacts.plan_of("warm_ups", "two-epochs"))["needed"]
    assert artifacts.read_json(artifacts.plan_of("warm_ups", "none"))["needed"]


def test_the_plan_says_what_it_starts_from(write_params):
    write_params({"diagnose.warm_up": "none"})
    plan()
    assert read_json(plan_of("diagnosis")) == {"warm_up": "none", "epochs": 5}
