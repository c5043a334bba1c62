"""Plans of everything that params.yaml asks for, and methods that cannot work there."""

import json
from pathlib import Path

import pytest
import yaml

from pipelines.config.methods import build, resolve
from pipelines.config.planning import method_plan
from pipelines.config.schema.regimes import TargetSet
from pipelines.core.errors import UserError
from pipelines.plan import plan
from tests.components.selection.contract import PARAMS

PROXY = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "bag"}, "share": 0.05}}
BAD = {
    "a budget that the first epoch takes": (
        {"compare.importance": "none", "methods.importance.budget": 0.2},
        r"methods.importance: budget must be above the share of the first epoch, 0.2 of 5 epochs, got 0.2; .* works is 0.21",
    ),
    "a noise guard of two epochs": (
        {
            "task": "digits",
            "tasks.digits.training.epochs": 2,
            "compare": {"full": "none", "importance": "none"},
            "methods.importance.budget": 0.8,
        },
        r"methods.importance: noise_guard must be false for a run of under 3 epochs, got true for 2",
    ),
    "classes where there are none": (
        {"task": "bike-sharing", "compare": {"full": "none", "balanced": "none"}},
        r"compare.balanced: is for classes, and task 'bike-sharing' predicts none; take it out",
    ),
    "class weights where there are no classes": (
        {
            "task": "bike-sharing",
            "compare": {"full": "none", "short": "none"},
            "methods.short": {"epochs": 3, "class_weights": "balanced"},
        },
        r"compare.short: is for classes, and task 'bike-sharing'",
    ),
    "classes weighed twice": (
        {
            "task": "digits",
            "tasks.digits.training.class_weights": "balanced",
            "compare": {"full": "none", "short": "none"},
            "methods.short": {"epochs": 3, "class_weights": "square-root"},
        },
        r"compare.short: has class_weights, and tasks.digits.training.class_weights weighs the classes already; leave one of",
    ),
    "cleaning only when training is over": (
        {"compare.clean": "none", "methods.clean.after": 5},
        r"methods.clean: after must be under the 5 epochs of training, got 5; the nearest is 4",
    ),
    "a slope past everything": (
        {"methods.uniform": {"fraction": 0.8, "slope": 1.0}},
        r"methods.uniform: slope must keep every epoch's .*, got 1 with fraction 0.8, which reaches 1.44; .* is 0.31",
    ),
    "a gradient by token ids": (
        {"compare.input-gradient-norm": "none"},
        r"compare.input-gradient-norm: .* needs inputs that are continuous, .* nearest that works is 'gradient-norm'",
    ),
    "a gradient by images that are not seen": (
        {
            "task": "fashion-pretrained",
            "tasks.fashion-pretrained.model.train_layers": 0,
            "tasks.fashion-pretrained.training.keep_frozen": True,
            "compare": {"full": "none", "input-gradient-norm": "none"},
        },
        r"compare.input-gradient-norm: .* needs the images, and .*keep_frozen .*; the nearest that works is 'gradient-norm'",
    ),
    "rho-loss without a holdout": (
        {"compare.rho-loss": "none"},
        r"compare.rho-loss: needs a warm-up with a 'holdout', .* got 'none'; one that works: none is defined",
    ),
    "a holdout for another method": (
        {"compare.infobatch": "irreducible", "warm_ups.irreducible": {"epochs": 3, "holdout": 0.2}},
        r"compare.infobatch: needs a warm-up without a 'holdout', got 'irreducible'; one that works: none, two-epochs",
    ),
    "no proxy for what needs one": (
        {"compare.selection-via-proxy": "two-epochs"},
        r"compare.selection-via-proxy: needs a warm-up with a 'proxy', which shows what a small model finds hard, "
        r"got 'two-epochs'; one that works: none is defined",
    ),
    "a proxy for another method": (
        {"compare.infobatch": "proxy", "warm_ups.proxy": PROXY},
        r"compare.infobatch: needs a warm-up without a 'proxy', got 'proxy'; one that works: none, two-epochs",
    ),
    "selection via proxy for a number": (
        {"task": "bike-sharing", "compare": {"full": "none", "selection-via-proxy": "none"}},
        r"compare.selection-via-proxy: ranks by the probabilities of classes, and task 'bike-sharing' predicts none",
    ),
    "selection via proxy for tokens": (
        {"task": "brown", "compare": {"full": "none", "selection-via-proxy": "none"}},
        r"compare.selection-via-proxy: ranks by the probabilities of classes, and task 'brown' predicts none",
    ),
    "class weights for several numbers": (
        {"task": "bike-riders", "compare": {"full": "none", "balanced": "two-epochs"}},
        r"compare.balanced: is for classes, and task 'bike-riders' predicts none",
    ),
    "warm-up too short to score": (
        {"compare.swiftlearn": "none"},
        r"needs a warm-up of at least 2 epochs, got 'none'.*two-epochs",
    ),
    "a refresh that the scores do not see": (
        {"warm_ups.two-epochs.scores_in": "eval", "methods.swiftlearn": {"fraction": 0.3, "refresh": 1, "refresh_by": "epoch"}},
        r"methods.swiftlearn.refresh_by: 'epoch' scores by training, .* the nearest that works is 'sweep'",
    ),
    "a short run after a long warm-up": (
        {"compare.short": "two-epochs"},
        r"compare.short: its 2.9 epochs must be at least twice the 2.0 of its warm-up",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_a_proxy_is_planned_at_its_share(write_params):
    compare = {"full": "none", "selection-via-proxy": "proxy", "short": "none"}
    write_params({"compare": compare, "warm_ups.proxy": PROXY, "methods.short": {"controls": "selection-via-proxy"}})
    plan()
    planned = json.loads(Path("results/plan/methods/selection-via-proxy.json").read_text())
    short = json.loads(Path("results/plan/methods/short.json").read_text())
    # Half of five epochs, and two of the proxy with its look.
    assert planned["planned_cost"] == pytest.approx(0.5 * 5 + 0.05 * (2 + 1 / 3))
    assert short["length"] == pytest.approx(planned["planned_cost"], abs=1e-4)


NEWER = [
    ("devices", 1, 2),
    ("deterministic", True, False),
    ("class_weights", None, "square-root"),
    ("class_weights", None, {"7": 2.5}),
    ("label_smoothing", 0.0, 0.25),
]


@pytest.mark.parametrize(("key", "default", "other"), NEWER)
def test_a_key_that_is_newer_is_planned_as_before_it_where_it_changes_nothing(write_params, key, default, other):
    write_params({"task": "digits", f"tasks.digits.training.{key}": default})
    plan()
    path = Path("results/plan/training.json")
    before = path.read_bytes()
    assert key.encode() not in before
    write_params({"task": "digits"})
    plan()
    assert path.read_bytes() == before
    write_params({"task": "digits", f"tasks.digits.training.{key}": other})
    plan()
    assert json.loads(path.read_text())["training"] == json.loads(before)["training"] | {key: other}


def test_the_model_that_prepares_the_data_is_planned_with_all_keys_of_its_source(write_params):
    write_params({"task": "movie-reviews"})
    plan()
    task, training = (json.loads(Path("results/plan", f"{name}.json").read_text()) for name in ("task", "training"))
    assert task["tokenizer"] == training["model"]["source"]
    assert len(task["tokenizer"]) > 10
    write_params({"task": "fashion-pretrained"})
    plan()
    assert json.loads(Path("results/plan/task.json").read_text())["tokenizer"] is None


def test_a_change_to_one_method_changes_its_plan_alone(write_params):
    write_params({"methods.uniform": {"fraction": 0.3}, "methods.short": {"epochs": 2}})
    plan()
    before = {p: p.read_bytes() for p in Path("results/plan").rglob("*.json")}
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["methods"]["swiftlearn"]["fraction"] = 0.1
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    plan()
    changed = {p.stem for p, content in before.items() if p.read_bytes() != content}
    # Of source, which says what all of it was made from, no stage depends.
    assert changed == {"swiftlearn", "source"}


def test_transforms_are_part_of_the_training_plan_alone_and_leave_others_as_they_were(write_params):
    def planned(changes):
        write_params({"task": "digits", "compare": {"full": "none"}} | changes)
        plan()
        return {str(path): path.read_text() for path in sorted(Path("results/plan").rglob("*.json"))}

    key, training = "tasks.digits.training.augment", "results/plan/training.json"
    plans = [planned(c) for c in ({}, {key: []}, {key: [{"flip": {}}]}, {key: [{"flip": {"p": 0.4}}]})]
    assert "augment" not in plans[0][training]
    assert json.loads(plans[2][training])["training"]["augment"] == [{"flip": {"p": 0.5}}]
    assert plans[0] == plans[1]
    assert len({p[training] for p in plans}) == 3
    for changed in plans[2:]:
        assert {name for name in changed if changed[name] != plans[0][name]} == {training, "results/plan/source.json"}


@pytest.mark.parametrize("name", sorted(PARAMS.methods))
def test_every_method_is_planned_for_several_classes_or_refused_by_name(name):
    chosen = PARAMS.chosen.model_copy(update={"predicts": "classes", "metric": None, "target": TargetSet(file="x.csv")})
    params = PARAMS.model_copy(update={"tasks": {PARAMS.task: chosen}})
    selector = build(resolve(params, name, params.warm_ups[params.compare[name]].start_epoch))
    if selector.classes or selector.proxy:
        with pytest.raises(
            UserError, match=rf"compare.{name}: .* classes, and task '{PARAMS.task}' has several an example; take"
        ):
            method_plan(params, name)
    elif "input_norm" not in selector.wants:  # refused for texts
        assert method_plan(params, name).name == name


def test_the_key_of_label_sets_is_planned_where_it_is_set_alone(write_params):
    write_params({"task": "digits"})
    plan()
    assert "separator" not in json.loads(Path("results/plan/task.json").read_text())


def test_validation_while_training_is_planned_where_it_is_asked_for_alone(write_params):
    def planned(changes):
        write_params({"task": "digits", "compare": {"full": "none"}} | changes)
        plan()
        return {path.stem: path.read_text() for path in sorted(Path("results/plan").glob("*.json"))}

    task, validated = "tasks.digits", {"tasks.digits.validation": 0.2, "tasks.digits.training.evaluate_every": 1}
    plain = planned({})
    idle = {"evaluate_every": None, "keep": "last", "stop_after": None}
    assert planned({f"{task}.training.{key}": value for key, value in idle.items() if value}) == plain
    words = ("evaluate_every", 'keep"', "stop_after", "time_to", "while_training")
    assert not [word for word in words if word in "".join(plain.values())]
    judged = planned(validated)
    assert {name for name in plain if plain[name] != judged[name]} == {"task", "training", "source"}
    assert json.loads(judged["task"])["while_training"] is True
    assert json.loads(judged["training"])["training"]["evaluate_every"] == 1
    reached = planned(validated | {f"{task}.time_to": 0.9})
    assert {name for name in plain if judged[name] != reached[name]} == {"comparison", "source"}
    assert json.loads(reached["comparison"])["time_to"] == 0.9
    # In place of the test split, as before evaluations while training were there.
    instead = planned({f"{task}.validation": 0.2})
    assert "while_training" not in instead["task"]


def test_a_diagnosis_knows_of_class_weights_where_there_are_some(write_params):
    found = []
    for weights in (None, "balanced"):
        write_params({"task": "digits", "compare": {"full": "none"}, "tasks.digits.training.class_weights": weights})
        plan()
        found.append(json.loads(Path("results/plan/diagnosis.json").read_text()))
    assert "weighed" not in found[0]
    assert found[1] == found[0] | {"weighed": True}
