"""Blocks of methods become selectors, cost what is planned, or are refused by name."""

from pathlib import Path

import pytest

from components.selection import METHODS
from components.selection.guard import Guarded
from pipelines.config.loader import load
from pipelines.config.methods import build, resolve
from pipelines.plan import plan

BAD = {
    "unknown class": ({"methods.full.method": "ful"}, r"methods.full: no such method, did you mean 'full'\?"),
    "unknown argument": ({"methods.swiftlearn.fractoin": 0.1}, r"methods.swiftlearn.fractoin: .* did you mean 'fraction'\?"),
    "a learning rate of nothing": (
        {"methods.uniform.learning_rate": 0},
        r"methods.uniform.learning_rate: must be a factor in \(0, 100\], got 0; the nearest that works is 0.5",
    ),
    "a guard that is no yes or no": (
        {"compare.adaselection": "none", "methods.adaselection.guard": "no"},
        r"methods.adaselection.guard: must be true or false, got 'no'; true is the default",
    ),
    "a guard where nothing is looked at": (
        {"methods.swiftlearn.guard": False},
        r"methods.swiftlearn.guard: 'swiftlearn' chooses at the door 'draw' alone, which has no guard; leave the key out",
    ),
    "a batch by a name that there is not": (
        {"methods.short.batch": "half"},
        r"methods.short.batch: must be a factor in \(0, 100\], or 'drawn', got 'half'",
    ),
    "a batch too large": ({"methods.swiftlearn.batch": 1000.0}, r"swiftlearn.batch: .*, got 1000.0; the nearest .* is 100"),
    "a budget of words": (
        {"compare.importance": "none", "methods.importance.budget": "automatic"},
        r"methods.importance.budget: Input .* number; or: input should be 'auto', got 'automatic'",
    ),
    "unknown control": (
        {"methods.short.controls": "swift"},
        r"controls: 'swift': no such method .* did you mean 'swiftlearn'\?",
    ),
    "unknown choice": ({"methods.swiftlearn.select": "tops"}, r"select must be one of top, sample, got 'tops'"),
    "unknown rule": (
        {"compare.big-loss": "none", "methods.big-loss.rule": "big-los"},
        r"methods.big-loss: no such rule: 'big-los', did you mean 'big-loss'\?",
    ),
    "empty pool": (
        {"compare.adaselection": "none", "methods.adaselection.pool": []},
        r"methods.adaselection: pool must name at least one rule, got none",
    ),
    "beta that is no number": (
        {"compare.adaselection": "none", "methods.adaselection.beta": float("inf")},
        r"methods.adaselection.beta: .*finite number, got inf",
    ),
    "keeping more than all": (
        {"compare.adaselection": "none", "methods.adaselection.fraction": 1.5},
        r"methods.adaselection: fraction must be in \(0, 1\], got 1.5; the nearest that works is 1.0",
    ),
    "wrong type of an argument": (
        {"methods.swiftlearn.fraction": "a"},
        r"methods.swiftlearn.fraction: .*valid number, got 'a'",
    ),
    "fraction above one": (
        {"methods.swiftlearn.fraction": 1.5},
        r"fraction must be in \(0, 1\], got 1.5; the nearest that works is 1",
    ),
    "fraction of nothing": ({"methods.uniform": {"fraction": 0}}, r"fraction must be in \(0, 1\], got 0"),
    "fraction is no number": ({"methods.uniform": {"fraction": float("nan")}}, r"uniform.fraction: .*finite number, got nan"),
    "a temperature without end": (
        {"methods.swiftlearn.temperature": float("inf")},
        r"methods.swiftlearn.temperature: .*finite number, got inf",
    ),
    "a seed below zero": (
        {"methods.uniform": {"fraction": 0.3, "seed": -1}},
        r"seed must be at least 0, got -1; the nearest that works is 0",
    ),
    "a stack of nothing": ({"methods.both": [], "compare.both": "two-epochs"}, r"methods.both: stacks no method"),
    "prune too much": (
        {"methods.infobatch.prune": 1.0},
        r"prune must be in \[0, 0.9\], got 1.0; the nearest that works is 0.9",
    ),
    "K below one": ({"methods.swiftlearn.refresh": 0}, r"refresh must be at least 1, got 0; the nearest that works is 1"),
    "a control whose warm-up costs as much": (
        {
            "compare": {"full": "none", "importance": "none", "uniform": "two-epochs"},
            "methods.importance.budget": 0.35,
            "methods.uniform": {"controls": "importance"},
        },
        r"methods.uniform: controls: must start from a warm-up under the 1.75 epochs .*, got one of 2; the nearest .* 0",
    ),
    "a control of itself": ({"methods.short.controls": "short"}, r"methods.short: refers to itself \(short -> short\)"),
    "a method that is no control": ({"methods.full.controls": "swiftlearn"}, r"only 'uniform' and 'short' can take the cost"),
    "two guards of one door": (
        {"methods.both": ["swiftlearn", "infobatch"], "compare.both": "two-epochs"},
        r"SwiftLearn and InfoBatch both guard the door 'draw'",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_every_block_builds_and_every_method_has_one(write_params):
    params = load(write_params({"compare.importance": "none"}) / "params.yaml")
    built = {n: build(resolve(params, n, 2.0)) for n in params.methods}
    members = [m for s in built.values() for m in getattr(s, "members", [s])]
    assert {type(m) for m in members} >= set(METHODS.values())


def test_methods_behind_a_pass_are_watched_and_those_that_draw_are_not(write_params):
    block = {"method": "adaselection", "fraction": 0.3, "guard": False}
    params = load(write_params({"compare.importance": "none", "methods.pure": block}) / "params.yaml")
    watched = {n: isinstance(build(resolve(params, n, 2.0)), Guarded) for n in params.methods}
    assert watched["adaselection"]
    assert watched["autoassist"]
    assert watched["swiftlearn-adaselection"]
    assert not watched["pure"]
    assert not watched["swiftlearn"]
    (member,) = resolve(params, "pure", 2.0)
    assert member.block() == {"fraction": 0.3, "guard": False}


def test_controls_cost_what_they_control(write_params):
    params = load(write_params({}) / "params.yaml")
    costs = {
        n: build(resolve(params, n, w)).planned_cost(5, w) for n, w in (("swiftlearn", 2.0), ("short", 0.0), ("uniform", 0.0))
    }
    assert costs["swiftlearn"] == pytest.approx(2 + 0.3 * 3)
    assert costs["short"] == pytest.approx(costs["swiftlearn"], abs=1e-3)
    assert costs["uniform"] == pytest.approx(costs["swiftlearn"], abs=1e-3)


def test_a_stack_holds_its_members(write_params):
    write_params({"methods.both": ["swiftlearn"], "compare.both": "two-epochs"})
    plan()
    assert '"method": "swiftlearn"' in Path("results/plan/methods/both.json").read_text()
