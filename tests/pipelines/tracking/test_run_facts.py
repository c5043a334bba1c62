"""What MLflow is told of a run: kept fraction, settings by dotted names, and chance."""

import pytest

from pipelines.config.plans import TrainingPlan
from pipelines.tracking import run_facts
from tests.conftest import defaults
from tests.pipelines.records import method_plan


def member(method, **arguments):
    return {"method": method, "arguments": arguments}


@pytest.mark.parametrize(
    ("members", "keep"),
    [
        ([member("full")], {"keep": "1"}),
        ([member("uniform", fraction=0.3)], {"keep": "0.3"}),
        ([member("uniform", fraction=0.5), member("rule", rule="big-loss", fraction=0.25)], {"keep": "0.125"}),
        ([member("infobatch", prune=0.5)], {}),
    ],
)
def test_the_fraction_that_is_kept_is_the_product_of_those_planned(members, keep):
    assert run_facts.keep_of(method_plan("any", members=members)) == keep


def test_settings_are_flat_and_those_that_are_not_set_are_left_out():
    task = defaults()["tasks"]["digits"]
    plan = TrainingPlan.of({"model": task["model"], "training": task["training"] | {"clip_norm": None}, "seed": 3})
    told = run_facts.params_of(method_plan("uniform", members=[member("uniform", fraction=0.3)], length=5, seed=3), plan)
    assert (told["method"], told["epochs"], told["seed"], told["keep"]) == ("uniform", "5", "3", "0.3")
    assert told["uniform.fraction"] == "0.3"
    assert told["training.optimizer.learning_rate"] == str(task["training"]["optimizer"]["learning_rate"])
    assert "training.clip_norm" not in told


def test_factors_and_a_guard_that_is_off_are_settings_too():
    plan = TrainingPlan.of({key: defaults()["tasks"]["digits"][key] for key in ("model", "training")} | {"seed": 3})
    members = [member("rule", fraction=0.25) | {"factors": {"learning_rate": 2}, "guard": False}, member("uniform")]
    logged = run_facts.params_of(method_plan("any", members=members), plan)
    assert {k: v for k, v in logged.items() if k.startswith(("rule.", "uniform."))} == {
        "rule.fraction": "0.25", "rule.learning_rate": "2", "rule.guard": "False",
    }  # fmt: skip


def test_a_run_at_chance_is_tagged():
    assert run_facts.chance_of(-0.1) == {"winnow.at_chance": "true"}
    assert run_facts.chance_of(0.1) == run_facts.chance_of(None) == {}
