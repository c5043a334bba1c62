"""What each method cost, from cost records, as one works it out by hand."""

import pytest

from pipelines.account import account
from pipelines.config.plans import TrainingPlan, WarmUpPlan
from pipelines.config.schema.training import Optimizer, Schedule, Training
from pipelines.core.artifacts import cost_of, plan_of
from pipelines.costs.account import Account
from pipelines.costs.records import CostRecord
from tests.pipelines.records import comparison_plan, cost_record, method_plan, model_plan

NOTHING = CostRecord.of({"laps": {}})
PROXY = {"model": {"family": "small", "name": "mlp"}}


def lap(seconds, examples=10):
    return {"times": 1, "examples": examples, "wall_seconds": seconds / 2, "cpu_seconds": seconds}


def counts(**changes):
    return {"examples": 10, "drawn": 20, "looked": 0, "kept": 0, "trained": 20, "steps": 5} | changes


@pytest.fixture
def accounted(tmp_path):
    """Account for ``full``, which trained ten examples in two epochs, and for ``half``, which trained eight of the twenty."""

    def run(proxy=None, **planned):
        training = Training(
            epochs=2,
            batch_size=2,
            optimizer=Optimizer(name="sgd", learning_rate=0.1),
            schedule=Schedule(name="constant", ramp=0.0, hold=0.0),
            threads=2,
        )
        TrainingPlan(model=model_plan(family="small", name="mlp"), training=training, seed=0).write(
            tmp_path / plan_of("training")
        )
        comparison_plan("full", "half").write(tmp_path / plan_of("comparison"))
        method_plan("full").write(tmp_path / plan_of("methods", "full"))
        method_plan("half", **{"warm_up": "first", "planned_cost": 0.8} | planned).write(tmp_path / plan_of("methods", "half"))
        # A forward pass of an example takes 0.05 s and the rest of its step 0.15 s.
        took = {"train": lap(6.0), "forward": lap(1.0, 20), "backward": lap(3.0, 20)}
        begun = {"train": lap(1.0), "forward": lap(0.2, 20), "backward": lap(0.2, 20)}
        costs = {
            ("train", "full"): cost_record(laps=took, counts=counts()),
            ("train", "half"): cost_record(laps={"train": lap(2.5)}, counts=counts(looked=4, kept=2, trained=8)),
            ("warm_up", "first"): cost_record(laps=begun, counts=counts(looked=10, trained=20)),
            ("subset", "half"): CostRecord.of({"laps": {"subset": lap(0.5)}}),
            ("prepare", ""): CostRecord.of({"laps": {"prepare": lap(7.0)}}),
        }
        others = [("warm_up", "none"), ("subset", "full"), ("evaluate", "full"), ("evaluate", "half")]
        for (stage, name), cost in (dict.fromkeys(others, NOTHING) | costs).items():
            cost.write(tmp_path / cost_of(stage, name))
        for name, more in (("none", {"epochs": 0}), ("first", {"epochs": 1} | ({"proxy": proxy} if proxy else {}))):
            WarmUpPlan.of(more | {"needed": True}).write(tmp_path / plan_of("warm_ups", name))
        account(tmp_path)
        return Account.settled(tmp_path)

    return run


def test_full_is_the_unit_of_all_others(accounted):
    told = accounted()
    full = told.methods["full"]
    assert told.offered == 20
    assert told.prepare.cpu_seconds == 7
    assert (told.unit_cpu_seconds.forward, told.unit_cpu_seconds.backward) == pytest.approx((0.05, 0.15))
    assert (full.counted_cpu_seconds, full.measured_cpu_seconds) == pytest.approx((4, 6))
    assert (full.time_paper, full.time_counted, full.time_measured) == pytest.approx((1, 1, 1))
    assert (full.alpha_b, full.alpha_fb) == (0, 0)


def test_a_method_is_charged_with_its_warm_up_its_subset_and_its_passes(accounted):
    half = accounted().methods["half"]
    # Of twenty, two were looked at alone and ten had neither pass.
    assert (half.alpha_b, half.alpha_fb) == pytest.approx((2 / 20, 10 / 20))
    assert half.counted_cpu_seconds == pytest.approx(4 * 0.05 + 8 * 0.2)
    assert half.measured_cpu_seconds == pytest.approx(1 + 0.5 + 2.5)
    assert half.measured_over_counted == pytest.approx(4 / 1.8)
    assert (half.time_counted, half.time_measured) == pytest.approx((1.8 / 4, 4 / 6))
    assert half.paper_cpu_seconds == pytest.approx(2 * 0.05 + 8 * 0.2)
    assert half.speed_reached == pytest.approx(6 / 4)
    assert half.speed_share == pytest.approx((6 / 4) / (4 / 1.8))
    assert half.speed_formula == pytest.approx(2 / 0.8)
    assert half.energy.kwh == pytest.approx(2 * 0.003)
    # Two threads of 4 CPU seconds; 10 W of the CPU and 5 W of memory.
    assert half.energy_modelled.kwh == pytest.approx(1.58 * 4 / 2 / 3600 * 15 / 1000)
    assert half.proxy is None


def test_where_the_losses_decide_the_cost_there_is_no_formula(accounted):
    assert accounted(cost_known=False).methods["half"].speed_formula is None


def test_a_proxy_is_counted_by_its_own_unit(accounted):
    half = accounted(proxy=PROXY).methods["half"]
    assert half.proxy.counts.model_dump() == {"looked": 10, "kept": 0, "trained": 20}
    assert half.proxy.counted_cpu_seconds == pytest.approx(10 * 0.01 + 20 * 0.02)
    assert half.proxy.share == pytest.approx(0.02 / 0.2)
    assert half.counted_cpu_seconds == pytest.approx(1.8 + 0.5)
