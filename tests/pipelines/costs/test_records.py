"""What a method's stages spent, added up by hand."""

import pytest

from pipelines.config.plans import WarmUpPlan
from pipelines.core.artifacts import cost_of, plan_of
from pipelines.costs.records import CostRecord, StageSpent, counts_of, spent, validated
from tests.pipelines.records import cost_record, method_plan


def timed(cpu):
    """Return the record of a stage that was timed alone, its only lap ``cpu`` CPU seconds long, and twice that by the wall."""
    return CostRecord.of({"laps": {"stage": {"times": 1, "examples": 10, "wall_seconds": 2 * cpu, "cpu_seconds": cpu}}})


def test_what_was_measured_and_estimated_stand_apart():
    energy = cost_record().dumped()["energy"]
    energy |= {"kwh_by_part": {"cpu": 0.25, "gpu": 0.5, "memory": 0.125}}
    energy |= {"labels": {"cpu": "estimated", "gpu": "measured", "memory": "estimated"}}
    metered = cost_record(energy=energy).metered
    assert (metered.by_label("measured"), metered.by_label("estimated")) == (0.5, 0.375)


def test_the_outermost_lap_is_the_training_or_the_only_one():
    assert cost_record().outermost.cpu_seconds == 2.0
    assert timed(0.5).outermost.wall_seconds == 1.0
    assert cost_record(laps={}).outermost.cpu_seconds == 0.0


def test_a_method_is_charged_with_its_warm_up_its_subset_and_its_training(tmp_path):
    method_plan("short", warm_up="two-epochs").write(tmp_path / plan_of("methods", "short"))
    train = cost_record().dumped()
    train["laps"]["select"] = train["laps"]["train"] | {"cpu_seconds": 0.25}
    cost_record().write(tmp_path / cost_of("warm_up", "two-epochs"))
    timed(0.5).write(tmp_path / cost_of("subset", "short"))
    CostRecord.of(train).write(tmp_path / cost_of("train", "short"))
    found = spent("short", tmp_path)
    assert [s.cpu_seconds for s in (found.warm_up, found.subset, found.train, found.total)] == [2.0, 0.5, 2.0, 4.5]
    assert found.total.wall_seconds == 2.0 + 1.0 + 2.0
    assert found.selection.cpu_seconds == 0.5 + 0.25
    assert (found.total.kwh, found.total.estimated_kwh) == pytest.approx((0.006, 0.006))
    assert found.total.measured_kwh == 0
    assert found.subset == StageSpent(cpu_seconds=0.5, wall_seconds=1.0, kwh=0.0, co2e_kg=0.0, measured_kwh=0, estimated_kwh=0)


def test_what_judging_cost_is_that_of_the_warm_up_and_the_training(tmp_path):
    method_plan("short", warm_up="two-epochs").write(tmp_path / plan_of("methods", "short"))
    judging = {"evaluations": 2, "examples": 20, "cpu_seconds": 0.5, "wall_seconds": 1.0, "kwh": 0.25, "co2e_kg": 0.125}
    cost_record().write(tmp_path / cost_of("warm_up", "two-epochs"))
    cost_record().write(tmp_path / cost_of("train", "short"))
    assert validated("short", tmp_path) is None
    cost_record(validation=judging).write(tmp_path / cost_of("train", "short"))
    assert validated("short", tmp_path).dumped() == judging
    cost_record(validation=judging).write(tmp_path / cost_of("warm_up", "two-epochs"))
    assert validated("short", tmp_path).dumped() == {key: 2 * value for key, value in judging.items()}


@pytest.mark.parametrize(("holdout", "trained"), [(None, 10), (0.2, 20)])
def test_what_a_holdout_was_trained_on_counts_too(tmp_path, holdout, trained):
    method_plan("rho-loss", warm_up="apart").write(tmp_path / plan_of("methods", "rho-loss"))
    warm_up = {"epochs": 2.0, "needed": True} | ({"holdout": holdout} if holdout else {})
    WarmUpPlan.of(warm_up).write(tmp_path / plan_of("warm_ups", "apart"))
    cost_record().write(tmp_path / cost_of("warm_up", "apart"))
    assert counts_of("rho-loss", cost_record().counted, tmp_path) == {"looked": 0, "kept": 0, "trained": trained}
