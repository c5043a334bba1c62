"""Evaluations stand against all that their method had cost until then."""

from statistics import fmean

import pytest

from components.costs.savings import Metric
from components.epoch_records import ValidatedEpoch
from pipelines.core.artifacts import cost_of, plan_of, result
from pipelines.costs.history import write_history
from pipelines.costs.validation_curve import Costs, Judged, TimeTo, first_at, judged_in, judged_of, time_to_columns
from tests.pipelines.records import cost_record, epoch_record, method_plan


def lap(seconds):
    return {"times": 1, "examples": 1, "wall_seconds": seconds, "cpu_seconds": seconds}


def end(epoch, seconds, kwh):
    return {"epoch": epoch, "cpu_seconds": seconds, "kwh": kwh}


def judged(epoch, trained, accuracy):
    return ValidatedEpoch(**vars(epoch_record(epoch, trained=trained)), validation={"accuracy": accuracy})


ENERGY = cost_record().metered.dumped() | {"kwh": 0.04}
COSTS = Costs(
    cost_record(laps={"train": lap(4.0)}, energy=ENERGY, ends=[end(0, 3.0, 0.03)]),
    cost_record(laps={"select": lap(0.5)}),
    cost_record(ends=[end(1, 1.0, 0.01), end(2, 2.0, 0.02)]),
)
HISTORY = [judged(0, 100, 0.5), epoch_record(1, trained=30), judged(2, 20, 0.8), judged(3, 20, 0.7)]


def test_an_evaluation_costs_all_that_went_before_it():
    found = judged_of(HISTORY, COSTS)
    assert [one[:3] for one in found] == [(0, 100, 3.0), (2, 150, 4.0 + 0.5 + 2.0), (3, 170, None)]
    assert [one.kwh for one in found] == [pytest.approx(0.03), pytest.approx(0.06), None]
    assert [one.metrics["accuracy"] for one in found] == [0.5, 0.8, 0.7]


@pytest.mark.parametrize(
    ("higher", "target", "epoch"), [(True, 0.8, 2), (True, 0.45, 0), (True, 0.81, None), (False, 0.5, 0), (False, 0.4, None)]
)
def test_a_score_is_reached_where_it_is_first_as_good(higher, target, epoch):
    first = first_at(judged_of(HISTORY, COSTS), Metric("accuracy", higher), target)
    assert (None if first is None else first.epoch) == epoch


def test_a_method_is_read_from_its_files(tmp_path):
    method_plan("a", warm_up="first").write(tmp_path / plan_of("methods", "a"))
    for (stage, name), cost in zip((("warm_up", "first"), ("subset", "a"), ("train", "a")), COSTS, strict=True):
        cost.write(tmp_path / cost_of(stage, name))
    write_history(tmp_path / result("train", "a", "history.json"), HISTORY[:3])
    assert judged_in("a", tmp_path)[-1] == Judged(2, 150, 6.5, pytest.approx(0.06), {"accuracy": 0.8})
    write_history(tmp_path / result("train", "a", "history.json"), HISTORY[1:2])
    assert judged_in("a", tmp_path) == []


def test_what_a_score_took_is_that_of_its_first_evaluation_and_blank_where_it_never_was():
    found = judged_of(HISTORY, COSTS)
    accuracy = Metric("accuracy", True)
    assert TimeTo.of(found, accuracy, 0.75) == TimeTo(150, 6.5, pytest.approx(0.06))
    assert TimeTo.of(found, accuracy, 0.95) == TimeTo()
    assert TimeTo.of(found, accuracy, None) is None
    columns = {"time_to_examples": 150, "time_to_cpu_seconds": 6.5, "time_to_kwh": None}
    assert time_to_columns(TimeTo(150, 6.5)) == columns
    assert TimeTo(**TimeTo.nested(columns)) == TimeTo(150, 6.5)
    assert time_to_columns(None) == {}
    assert TimeTo.nested({"accuracy": 0.5}) is None


def test_the_mean_over_seeds_is_blank_where_one_never_got_there():
    assert TimeTo.mean([TimeTo(100, 1.0, 0.1), TimeTo(200, 2.0, None)], fmean) == TimeTo(150, 1.5, None)
    assert TimeTo.mean([TimeTo(100, 1.0, 0.1), TimeTo()], fmean) == TimeTo()
    assert TimeTo.mean([None, None], fmean) is None
    assert TimeTo.mean([], fmean) is None
