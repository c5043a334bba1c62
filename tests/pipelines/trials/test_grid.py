"""A study's grid: which trials it has, and what they cost."""

import pytest

from pipelines.config import planning
from pipelines.config.loader import load
from pipelines.core.errors import UserError
from pipelines.trials import controls


def test_a_method_has_a_cell_a_fraction_and_one_without(grid):
    found = [(c.name, c.method, c.fraction) for c in grid().trials if c.role != "control"]
    expected = [("full", "full", None), ("swiftlearn-0.1", "swiftlearn", 0.1), ("swiftlearn-0.5", "swiftlearn", 0.5)]
    assert found == [*expected, ("infobatch", "infobatch", None)]


def test_every_cell_has_two_controls_at_its_own_cost(grid):
    read = grid()
    planned = planning.plans_of(read.params).methods
    for trial in read.trials:
        if trial.after or trial.method == "infobatch":
            continue
        cost = planned[trial.name].planned_cost
        # A fraction of four digits, over six epochs.
        assert cost == pytest.approx(trial.cost, abs=3.1e-4)
        assert [read[c].method for c in trial.controls] == (["uniform", "short"] if trial.role == "method" else [])
        for control in trial.controls:
            assert read[control].cost == trial.cost
            assert read.params.warm_ups[read.params.compare[control]].epochs == 0


TUNED = {"learning_rates": [1.0, 2.0], "batches": [1.0, "drawn"]}
FACTORS = ["", "-batch-drawn", "-rate-2.0", "-rate-2.0-batch-drawn"]


def test_controls_are_tuned_at_the_middle_cost(grid):
    read = grid(fractions=[0.1, 0.2, 0.5], methods={"swiftlearn": "two-epochs", "infobatch": "none"}, controls=TUNED)
    middle = [f"{kind}-at-2.8{ends}" for kind in ("uniform", "short") for ends in FACTORS]
    assert read["swiftlearn-0.2"].controls == tuple(middle)
    assert read["swiftlearn-0.1"].controls == ("uniform-at-2.4", "short-at-2.4")
    assert read["infobatch"].controls == ("uniform-at-infobatch", "short-at-infobatch")
    assert read["short-at-2.8-rate-2.0-batch-drawn"].settings == (("learning_rate", 2.0), ("batch", "drawn"))
    block = read.params.methods["short-at-2.8-rate-2.0-batch-drawn"]
    assert block == {"method": "short", "epochs": 2.8, "learning_rate": 2.0, "batch": "drawn"}
    planning.plans_of(read.params)


def test_controls_may_be_tuned_at_every_cost_and_stand_at_more(grid):
    read = grid(fractions=[0.1], controls=TUNED | {"tuned": "all", "costs": [0.5, 0.75]})
    found = [c.name for c in read.trials if c.role == "control"]
    costs = ["2.4", "infobatch", "3.0", "4.5"]
    assert found == [f"{kind}-at-{cost}{ends}" for cost in costs for kind in ("uniform", "short") for ends in FACTORS]
    assert len(read["infobatch"].controls) == 8


def test_without_a_known_cost_they_are_tuned_at_that_which_a_cell_had(grid):
    read = grid(methods={"infobatch": "none"}, controls={"learning_rates": [2.0]})
    names = ("uniform-at-infobatch", "uniform-at-infobatch-rate-2.0", "short-at-infobatch", "short-at-infobatch-rate-2.0")
    assert read["infobatch"].controls == names
    planned = controls.plan_at(read, read["short-at-infobatch-rate-2.0"], 0, 4.5)
    assert planned.dumped()["members"] == [{"method": "short", "arguments": {"epochs": 4.5}, "factors": {"learning_rate": 2.0}}]


def test_where_models_are_judged_by_class_so_are_controls(grid):
    read = grid({"tasks.digits.metric": "macro_f1"}, fractions=[0.5], methods={"swiftlearn": "two-epochs", "infobatch": "none"})
    assert read.kinds == ("uniform", "short", "balanced", "short-weighted", "short-root-weighted")
    assert read["swiftlearn-0.5"].controls == tuple(f"{kind}-at-4.0" for kind in read.kinds)
    block = read.params.methods["short-weighted-at-4.0"]
    assert block == {"method": "short", "class_weights": "balanced", "epochs": 4.0}
    balanced = {"method": "balanced", "budget": "equal", "rare": "keep", "fraction": pytest.approx(4 / 6, abs=1e-4)}
    assert read.params.methods["balanced-at-4.0"] == balanced
    planned = planning.plans_of(read.params).methods
    assert planned["balanced-at-4.0"].planned_cost == pytest.approx(4.0, abs=3e-4)
    after = controls.plan_at(read, read["short-weighted-at-infobatch"], 0, 3.3)
    assert after.dumped()["members"] == [{"method": "short", "arguments": {"class_weights": "balanced", "epochs": 3.3}}]


def test_controls_without_weights_of_their_own_are_left_where_training_weighs_classes(grid):
    weighed = {"tasks.digits.metric": "macro_f1", "tasks.digits.training.class_weights": "balanced"}
    read = grid(weighed, fractions=[0.5], methods={"swiftlearn": "two-epochs"})
    assert read.kinds == ("uniform", "short", "balanced")
    planning.plans_of(read.params)


def test_cells_of_one_cost_share_their_controls(grid):
    shared = {"methods.swiftlearn-sampled": {"method": "swiftlearn", "fraction": 0.3, "select": "sample"}}
    read = grid(shared, methods={"swiftlearn": "two-epochs", "swiftlearn-sampled": "two-epochs"})
    assert [c.name for c in read.trials if c.role == "control"] == [
        "uniform-at-2.4", "short-at-2.4", "uniform-at-4.0", "short-at-4.0",
    ]  # fmt: skip
    assert read["swiftlearn-0.1"].controls == read["swiftlearn-sampled-0.1"].controls


def test_a_method_of_a_proxy_has_cells_and_controls(grid):
    warm_up = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp", "options": {"hidden": 8}}, "share": 0.3}}
    read = grid({"warm_ups.proxy": warm_up}, methods={"selection-via-proxy": "proxy"})
    trial = read["selection-via-proxy-0.5"]
    assert trial.cost == pytest.approx(0.5 * 6 + 0.3 * (2 + 1 / 3))
    assert [read.params.compare[c] for c in trial.controls] == ["none", "none"]


def test_a_cell_that_costs_as_much_as_full_is_controlled_by_full(grid):
    read = grid(fractions=[1.0], methods={"swiftlearn": "two-epochs"})
    assert [c.name for c in read.trials] == ["full", "swiftlearn-1.0"]
    assert read["swiftlearn-1.0"].controls == ("full",)


def test_uniform_at_the_same_fraction_may_be_a_method_too(grid):
    read = grid(methods={"uniform": "none"})
    assert read.params.methods["uniform-0.5"] == {"method": "uniform", "fraction": 0.5}
    assert read["uniform-0.5"].cost == 3.0


def test_a_start_from_nothing_is_there_even_if_params_name_none(grid, gone):
    read = grid({"warm_ups.none": gone, "compare": {"full": "two-epochs"}}, methods={"swiftlearn": "two-epochs"})
    assert read.params.compare["full"] == "nothing"
    assert read.params.warm_ups["nothing"].epochs == 0


BAD = {
    "no section": ({"study": None}, r"study: is missing"),
    "unknown method": ({"study.methods.swiftlern": "none"}, r"study.methods.swiftlern: no such .* did you mean 'swiftlearn'\?"),
    "unknown warm-up": ({"study.methods.swiftlearn": "two"}, r"study.methods.swiftlearn: 'two': no such warm-up"),
    "no fractions": ({"study.fractions": []}, r"study.fractions: must name one or more, since 'swiftlearn' takes a fraction"),
    "vary a stranger": ({"study.vary": {"infobach": {"prune": [0.5]}}}, r"study.vary.infobach: no such .* mean 'infobatch'\?"),
    "vary a stack": (
        {"study.methods.swiftlearn-adaselection": "two-epochs", "study.vary": {"swiftlearn-adaselection": {"beta": [1.0]}}},
        r"study.vary.swiftlearn-adaselection: is a stack, which has no arguments",
    ),
    "unknown argument": ({"study.vary": {"infobatch": {"prun": [0.5]}}}, r"vary.infobatch.prun: no such .* mean 'prune'\?"),
    "value of another type": ({"study.vary": {"infobatch": {"prune": ["x"]}}}, r"vary.infobatch.prune: .*got 'x'"),
    "value out of bounds": ({"study.vary": {"infobatch": {"prune": [0.5, 1.5]}}}, r"vary.infobatch: prune must be in .* 0.9"),
    "a factor twice": (
        {"study.controls": {"learning_rates": [1.0, 2.0, 2.0]}},
        r"study.controls: learning_rates: each must be there once, got 2.0 2 times",
    ),
    "a batch by a strange name": ({"study.controls.batches": ["half"]}, r"study.controls.batches.*'drawn'.*got 'half'"),
    "a cost above that of full": ({"study.controls.costs": [1.5]}, r"study.controls.costs.0: .*less than 1, got 1.5"),
    "no values": ({"study.vary": {"infobatch": {"prune": []}}}, r"study: vary.infobatch.prune: must name one or more"),
    "a value twice": ({"study.vary": {"infobatch": {"prune": [0.5, 0.5]}}}, r"vary.infobatch.prune: each must be there once"),
    "too many cells": (
        {"study.vary": {"infobatch": {"prune": [i / 100 for i in range(50)], "until": [i / 50 for i in range(1, 31)]}}},
        r"study: may have 1,000 trials of methods per seed, got 1,502, of which infobatch has 1,500; .*study.vary.infobatch",
    ),
    "fraction of nothing": ({"study.fractions": [0.0]}, r"study.fractions.0: .*greater than 0, got 0.0"),
    "fraction above one": ({"study.fractions": [0.1, 1.5]}, r"study.fractions.1: .*got 1.5; the nearest that works is 1"),
    "no seeds": ({"study.seeds": []}, r"study: seeds: must name one or more, got none; the least that can be run is \[0\]"),
    "no methods": ({"study.methods": {}}, r"study: methods: must name one or more"),
    "a seed twice": ({"study.seeds": [0, 1, 0]}, r"study: seeds: each must be there once, got 0 2 times"),
    "a fraction twice": ({"study.fractions": [0.3, 0.3]}, r"study: fractions: each must be there once, got 0.3 2 times"),
    "unknown key": ({"study.seed": 1}, r"study: 'seed': no such key, did you mean 'seeds'\?"),
    "a negative seed": ({"study.seeds": [-1]}, r"study.seeds.0: .*greater than or equal to 0, got -1"),
    "full": ({"study.methods.full": "none"}, r"study.methods.full: 'full' is part of every study"),
    "a control": ({"study.methods.short": "none"}, r"study.methods.short: 'short' is part of every study"),
    "a warm-up too short": ({"study.methods.swiftlearn": "none"}, r"swiftlearn-0.1: needs a warm-up of at least 2 epochs"),
    "one name twice": (
        {"study.fractions": [1e-05], "methods.swiftlearn-1e-05": ["infobatch"], "study.methods.swiftlearn-1e-05": "none"},
        r"study.methods.swiftlearn-1e-05: its trial 'swiftlearn-1e-05' has the same name as another trial",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(grid, tmp_path, changes, text):
    with pytest.raises(UserError, match=text):
        grid(changes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["params.yaml"]


def test_fractions_are_not_needed_where_no_method_takes_one(grid, gone):
    read = grid({"study.fractions": gone}, methods={"infobatch": "none", "selective-backprop": "none"})
    assert [c.name for c in read.trials if c.role == "method"] == ["infobatch", "selective-backprop"]


def test_controls_of_a_cost_that_is_not_known_come_after_their_cell(grid):
    read = grid(methods={"selective-backprop": "none", "infobatch": "none"})
    assert read["infobatch"].controls == ("uniform-at-infobatch", "short-at-infobatch")
    assert next((c.name, c.after) for c in read.trials if c.role == "control") == (
        "uniform-at-selective-backprop", "selective-backprop",
    )  # fmt: skip
    assert "short-at-infobatch" not in read.params.compare


def test_a_stack_knows_its_cost_where_all_members_do(grid):
    both = {"methods.both": ["infobatch", "adaselection"], "methods.fixed": ["uniform-fixed", "adaselection"]}
    read = grid(both, methods={"both": "none", "fixed": "none"}, fractions=[])
    assert read["both"].controls == ("uniform-at-both", "short-at-both")
    assert not any(read[c].after for c in read["fixed"].controls)


def test_a_study_that_is_not_run_stands_in_no_comparisons_way(write_params):
    write_params(
        {
            "task": "digits",
            "study.methods.swiftlearn": "nowhere",
            "tasks.digits.training.epochs": 2,
            "compare": {"full": "none"},
        }
    )
    assert load().study is not None
