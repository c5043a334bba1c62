"""Bad input in params.yaml: one clear error, and nothing written."""

import json
from pathlib import Path

import pytest
import yaml

from components.selection import METHODS
from pipelines.config.loader import load
from pipelines.config.methods import build, resolve
from pipelines.core.errors import UserError
from pipelines.plan import plan
from tests.conftest import ROOT

TASK = "tasks.movie-reviews"
PROXY = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "bag"}, "share": 0.05}}
OTHER_ENCODER = {"family": "transformers", "source": {"from": "hub", "id": "a/b", "revision": "main"}}
BAD = {
    "unknown key": (
        {f"{TASK}.training.epoch": 3},
        r"tasks.movie-reviews.training: 'epoch': no such key, did you mean 'epochs'\?",
    ),
    "unknown top-level key": ({"sed": 1}, r"'sed': no such key, did you mean 'seed'\?"),
    "unknown task": ({"task": "movie-review"}, r"task: 'movie-review': no such task, did you mean 'movie-reviews'\?"),
    "a name of many letters": ({"task": "x" * 300}, r"^params.yaml: task: String should match .{,40}, got 'x{39}\.\.\.x{19}'$"),
    "a batch that memory cannot hold": (
        {
            "task": "fashion-vit",
            "tasks.fashion-vit.source": {"from": "folder", "folder": "photographs"},
            "tasks.fashion-vit.image_size": 8000,
            "tasks.fashion-vit.training.batch_size": 10**6,
        },
        r"fashion-vit.training.batch_size: must be at most [\d,]+ with images of 8000 x 8000, .* got 1,000,000; a tenth of th",
    ),
    "unknown setting of MLflow": (
        {"tracking.registr": True},
        r"tracking: 'registr': no such key, did you mean 'register_best'\?",
    ),
    "registering neither on nor off": ({"tracking.register_best": "no"}, r"tracking.register_best: .*boolean, got 'no'"),
    "unknown stage": ({"pools.trian": "gpu-pool"}, r"pools: 'trian': no such key, did you mean 'train'\?"),
    "no default pool": ({"pools": {"train": "gpu-pool"}}, r"pools.default: Field required"),
    "pool that is no name": ({"pools.train": "gpu pool"}, r"pools.train: .*match pattern.*got 'gpu pool'"),
    "unknown method": ({"compare.swiftlern": "none"}, r"compare.swiftlern: no such method .* did you mean 'swiftlearn'\?"),
    "unknown class": ({"methods.full.method": "ful"}, r"methods.full: no such method, did you mean 'full'\?"),
    "unknown warm-up": ({"compare.swiftlearn": "two-epoch"}, r"'two-epoch': no such warm-up .* did you mean 'two-epochs'\?"),
    "unknown argument": ({"methods.swiftlearn.fractoin": 0.1}, r"methods.swiftlearn.fractoin: .* did you mean 'fraction'\?"),
    "a learning rate of nothing": (
        {"methods.uniform.learning_rate": 0},
        r"methods.uniform.learning_rate: must be a factor in \(0, 100\], got 0; the nearest that works is 0.5",
    ),
    "a batch by a name that there is not": (
        {"methods.short.batch": "half"},
        r"methods.short.batch: must be a factor in \(0, 100\], or 'drawn', got 'half'",
    ),
    "a batch too large": ({"methods.swiftlearn.batch": 1000.0}, r"swiftlearn.batch: .*, got 1000.0; the nearest .* is 100"),
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
    "a metric of classes for numbers": (
        {"tasks.bike-sharing.metric": "macro_f1"},
        r"tasks.bike-sharing: metric: is for classes, and this task has predicts: number; leave one of the two out",
    ),
    "a metric that there is not": ({f"{TASK}.metric": "f1"}, r"movie-reviews.metric: .*'macro_f1'.*got 'f1'"),
    "cleaning only when training is over": (
        {"compare.clean": "none", "methods.clean.after": 5},
        r"methods.clean: after must be under the 5 epochs of training, got 5; the nearest is 4",
    ),
    "a slope past everything": (
        {"methods.uniform": {"fraction": 0.8, "slope": 1.0}},
        r"methods.uniform: slope must leave every epoch's fraction at 1 or less, and 1 around 0.8 has one of 1.44; .* is 0.31",
    ),
    "a budget of words": (
        {"compare.importance": "none", "methods.importance.budget": "automatic"},
        r"methods.importance.budget: Input .* number; or: input should be 'auto', got 'automatic'",
    ),
    "unknown model": ({"task": "digits", "tasks.digits.model.name": "lenett"}, r"model.name: .*'lenet'.*got 'lenett'"),
    "unknown family": ({f"{TASK}.model.family": "torch"}, r"model: .*'torch'.*'transformers'"),
    "keeping what is not frozen": (
        {f"{TASK}.training.keep_frozen": True, f"{TASK}.model.train_layers": None},
        r"movie-reviews: training.keep_frozen: .* got true for one whose model has no train_layers; the nearest .* is false",
    ),
    "keeping the frozen layers of images": (
        {"task": "digits", "tasks.digits.training.keep_frozen": True},
        r"digits: training.keep_frozen: .* of kind 'text' .* got true for one of kind 'image'; the nearest that works is false",
    ),
    "keeping the frozen layers of running text": (
        {"tasks.brown.training.keep_frozen": True},
        r"brown: training.keep_frozen: .* got true for one of kind 'language'; the nearest that works is false",
    ),
    "no device": ({"tasks.digits.training.devices": 0}, r"digits.*training.devices: .*greater than 0, got 0"),
    "keeping frozen layers on two devices": (
        {f"{TASK}.training.devices": 2, f"{TASK}.training.keep_frozen": True},
        r"movie-reviews.*training: .*keep_frozen: must be false with devices: 2, got true; leave out one of the two",
    ),
    "compiling on three devices": (
        {f"{TASK}.training.devices": 3, f"{TASK}.training.compile": True},
        r"movie-reviews.*training: .*compile: must be false with devices: 3, got true; leave out one of the two",
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
    "a gradient by token ids": (
        {"compare.input-gradient-norm": "none"},
        r"compare.input-gradient-norm: .* needs inputs that are continuous, .* nearest that works is 'gradient-norm'",
    ),
    "rho-loss without a holdout": (
        {"compare.rho-loss": "none"},
        r"compare.rho-loss: needs a warm-up with a 'holdout', .* got 'none'; one that works: none is defined",
    ),
    "a holdout for another method": (
        {"compare.infobatch": "irreducible", "warm_ups.irreducible": {"epochs": 3, "holdout": 0.2}},
        r"compare.infobatch: needs a warm-up without a 'holdout', got 'irreducible'; one that works: none, two-epochs",
    ),
    "all held out": ({"warm_ups.irreducible": {"epochs": 3, "holdout": 1.0}}, r"irreducible.holdout: .*less than 1, got 1.0"),
    "part of an epoch of a holdout": (
        {"warm_ups.irreducible": {"epochs": 1.5, "holdout": 0.2}},
        r"irreducible: epochs: must be whole with holdout, which looks after them, got 1.5; the nearest that works is 2",
    ),
    "no proxy for what needs one": (
        {"compare.selection-via-proxy": "two-epochs"},
        r"compare.selection-via-proxy: needs a warm-up with a 'proxy', which tells what a small model finds hard, "
        r"got 'two-epochs'; one that works: none is defined",
    ),
    "a proxy for another method": (
        {"compare.infobatch": "proxy", "warm_ups.proxy": PROXY},
        r"compare.infobatch: needs a warm-up without a 'proxy', got 'proxy'; one that works: none, two-epochs",
    ),
    "a proxy that is of other data": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp"}}}},
        r"warm_ups.proxy.proxy: model.name: for a task of kind 'text' 'bag', got 'mlp' \(task 'movie-reviews'\)",
    ),
    "a proxy of a family that is of other data": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "torchvision", "name": "vit"}}}},
        r"proxy: model.family: for a task of kind 'text' 'small' or 'transformers', got 'torchvision'",
    ),
    "a proxy that reads other tokens": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": OTHER_ENCODER}}},
        r"proxy: model.source: must be that of the task's model, .* has fewer num_hidden_layers",
    ),
    "a proxy of a model that there is not": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "small", "name": "bags"}}}},
        r"warm_ups.proxy.proxy.model.name: .*'bag'.*got 'bags'",
    ),
    "a proxy for a number": (
        {"task": "bike-sharing", "compare": {"full": "none"}, "warm_ups.proxy": PROXY},
        r"warm_ups.proxy.proxy: ranks examples by the probabilities of classes, and the task predicts none; take it out",
    ),
    "selection via proxy for a number": (
        {"task": "bike-sharing", "compare": {"full": "none", "selection-via-proxy": "none"}},
        r"compare.selection-via-proxy: ranks by the probabilities of classes, and task 'bike-sharing' predicts none",
    ),
    "selection via proxy for tokens": (
        {"task": "brown", "compare": {"full": "none", "selection-via-proxy": "none"}},
        r"compare.selection-via-proxy: ranks by the probabilities of classes, and task 'brown' predicts none",
    ),
    "a proxy and a holdout": (
        {"warm_ups.proxy": PROXY | {"holdout": 0.2}},
        r"warm_ups.proxy: proxy: is trained on everything .* take out holdout, or the proxy",
    ),
    "a proxy that looks after every epoch": (
        {"warm_ups.proxy": PROXY | {"scores_in": "eval"}},
        r"warm_ups.proxy: proxy: is trained on everything .* take out scores_in: eval, or the proxy",
    ),
    "part of an epoch of a proxy": (
        {"warm_ups.proxy": PROXY | {"epochs": 0.5}},
        r"warm_ups.proxy: epochs: must be whole with proxy, which looks after them, got 0.5; the nearest that works is 1",
    ),
    "a bag for a task": (
        {f"{TASK}.model": {"family": "small", "name": "bag"}},
        r"model.family: a task of kind 'text' takes 'transformers', got 'small'",
    ),
    "wrong type": ({f"{TASK}.training.batch_size": "32"}, r"training.batch_size: .*valid integer, got '32'"),
    "wrong type of an argument": (
        {"methods.swiftlearn.fraction": "a"},
        r"methods.swiftlearn.fraction: .*valid number, got 'a'",
    ),
    "true is no number": ({f"{TASK}.training.epochs": True}, r"training.epochs: .*valid integer, got True"),
    "epochs for ever": (
        {f"{TASK}.training.epochs": 10**12},
        r"training.epochs: .*; the nearest that works is 100000$",
    ),
    "no value": ({"compare.full": None}, r"params.yaml: compare.full: has no value; write one, or leave the key out$"),
    "no block": ({"methods.swiftlearn": None}, r"methods.swiftlearn: has no value; write one, or leave the key out$"),
    "no rate": ({f"{TASK}.training.optimizer.learning_rate": 0}, r"learning_rate: must be greater than 0, got 0$"),
    "no epochs": (
        {f"{TASK}.training.epochs": 0},
        r"training.epochs: must be .* to 1, got 0; the nearest that works is 1",
    ),
    "fraction above one": (
        {"methods.swiftlearn.fraction": 1.5},
        r"fraction must be in \(0, 1\], got 1.5; the nearest that works is 1",
    ),
    "fraction of nothing": ({"methods.uniform": {"fraction": 0}}, r"fraction must be in \(0, 1\], got 0"),
    "fraction is no number": ({"methods.uniform": {"fraction": float("nan")}}, r"uniform.fraction: .*finite number, got nan"),
    "a rate without end": (
        {f"{TASK}.training.optimizer.learning_rate": float("inf")},
        r"optimizer.learning_rate: .*finite number, got inf",
    ),
    "a temperature without end": (
        {"methods.swiftlearn.temperature": float("inf")},
        r"methods.swiftlearn.temperature: .*finite number, got inf",
    ),
    "a seed below zero": (
        {"methods.uniform": {"fraction": 0.3, "seed": -1}},
        r"seed must be at least 0, got -1; the nearest that works is 0",
    ),
    "a seed too large": ({"seed": 2**63}, r"seed: .*less than 9223372036854775808, got 9223372036854775808"),
    "a seed of noise below zero": ({f"{TASK}.label_noise": {"fraction": 0.1, "seed": -1}}, r"label_noise.seed: .*got -1"),
    "momentum without sgd": ({f"{TASK}.training.optimizer.momentum": 0.9}, r"optimizer: momentum: 'adamw' has none, got 0.9"),
    "a ramp longer than training": (
        {f"{TASK}.training.schedule.ramp": 5.0},
        r"schedule.ramp: must be under the 5 of .*got 5.0; the nearest that works is 4",
    ),
    "a stack of nothing": ({"methods.both": [], "compare.both": "two-epochs"}, r"methods.both: stacks no method"),
    "neither settings nor a stack": (
        {"methods.full": "x"},
        r"^params.yaml: methods.full: [^\n]*dictionary, got 'x'; or: [^\n]*list, got 'x'$",
    ),
    "neither rows nor a fraction": ({f"{TASK}.test": "x"}, r"^params.yaml: tasks.movie-reviews.test: [^\n]*$"),
    "prune too much": (
        {"methods.infobatch.prune": 1.0},
        r"prune must be in \[0, 0.9\], got 1.0; the nearest that works is 0.9",
    ),
    "K below one": ({"methods.swiftlearn.refresh": 0}, r"refresh must be at least 1, got 0; the nearest that works is 1"),
    "warm-up too long": (
        {"warm_ups.two-epochs.epochs": 5},
        r"training.epochs: must be above the 5 of the warm-up 'two-epochs', got 5; the nearest that works is 6",
    ),
    "warm-up beyond the hold": ({f"{TASK}.training.schedule.hold": 1}, r"schedule.hold: must be at least the 2.0 epochs"),
    "warm-up too short to score": (
        {"compare.swiftlearn": "none"},
        r"needs a warm-up of at least 2 epochs, got 'none'.*two-epochs",
    ),
    "half an epoch to look after": (
        {"warm_ups.half": {"epochs": 0.5, "scores_in": "eval"}},
        r"warm_ups.half: epochs: must be whole with scores_in: eval.*got 0.5; the nearest that works is 1",
    ),
    "a refresh that the scores do not see": (
        {"warm_ups.two-epochs.scores_in": "eval", "methods.swiftlearn": {"fraction": 0.3, "refresh": 1, "refresh_by": "epoch"}},
        r"methods.swiftlearn.refresh_by: 'epoch' scores by training, .* the nearest that works is 'sweep'",
    ),
    "a control whose warm-up costs as much": (
        {
            "compare": {"full": "none", "importance": "none", "uniform": "two-epochs"},
            "methods.importance.budget": 0.35,
            "methods.uniform": {"controls": "importance"},
        },
        r"methods.uniform: controls: must start from a warm-up under the 1.75 epochs .*, got one of 2; the nearest .* 0",
    ),
    "a short run after a long warm-up": (
        {"compare.short": "two-epochs"},
        r"compare.short: its 2.9 epochs must be at least twice the 2.0 of its warm-up",
    ),
    "no full": ({"compare": {"uniform": "none"}}, r"compare: 'full' is missing"),
    "nothing to compare": ({"compare": {}}, r"compare: names no method"),
    "a control of itself": ({"methods.short.controls": "short"}, r"methods.short: refers to itself \(short -> short\)"),
    "a method that is no control": ({"methods.full.controls": "swiftlearn"}, r"only 'uniform' and 'short' can take the cost"),
    "two guards of one door": (
        {"methods.both": ["swiftlearn", "infobatch"], "compare.both": "two-epochs"},
        r"SwiftLearn and InfoBatch both guard the door 'draw'",
    ),
    "a name for a shell": ({"compare.$(reboot)": "none"}, r"compare.\$\(reboot\).*pattern"),
    "a name that leaves its folder": ({"warm_ups": {"../x": {"epochs": 1}}}, r"warm_ups.../x.*pattern"),
    "a name with a slash": ({"compare.a/b": "none"}, r"compare.a/b.*pattern"),
    "a short hash": ({f"{TASK}.source.sha256": "12"}, r"source.sha256: .*pattern.*got '12'"),
    "an option as package": ({f"{TASK}.source.package": "--index-url=x"}, r"source.package: .*pattern"),
    "unknown source": ({f"{TASK}.source.from": "packages"}, r"source: .*'packages'.*'package'"),
    "an epsilon of nothing": ({"agot_epsilon": 0.0}, r"agot_epsilon: .*greater than 0, got 0.0"),
    "an epsilon above one": ({"agot_epsilon": 1.5}, r"agot_epsilon: .*got 1.5; the nearest that works is 1"),
    "a country of two letters": ({"energy.country": "US"}, r"energy.country: .* alpha-3 code, got 'US'; did you mean 'USA'"),
    "a country by its English name": ({"energy.country": "GER"}, r"energy.country: .*got 'GER'; did you mean 'DEU', Germany\?"),
    "a country that there is not": ({"energy.country": "QQX"}, r"energy.country: .*got 'QQX'$"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(write_params, changes, text):
    folder = write_params(changes)
    with pytest.raises(UserError, match=text):
        plan()
    assert sorted(p.name for p in folder.iterdir()) == ["params.yaml"]


@pytest.mark.parametrize("text", ["task: [", "\x00", "- 1", ""])
def test_a_broken_file_is_named(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml: cannot be read"):
        load(tmp_path / "params.yaml")


def test_every_block_builds_and_every_method_has_one(write_params):
    params = load(write_params({"compare.importance": "none"}) / "params.yaml")
    built = {n: build(resolve(params, n, 2.0)) for n in params.methods}
    assert {type(s) for s in built.values()} >= set(METHODS.values())


def test_controls_cost_what_they_control(write_params):
    params = load(write_params({}) / "params.yaml")
    costs = {
        n: build(resolve(params, n, w)).planned_cost(5, w) for n, w in (("swiftlearn", 2.0), ("short", 0.0), ("uniform", 0.0))
    }
    assert costs["swiftlearn"] == pytest.approx(2 + 0.3 * 3)
    assert costs["short"] == pytest.approx(costs["swiftlearn"], abs=1e-3)
    assert costs["uniform"] == pytest.approx(costs["swiftlearn"], abs=1e-3)


def test_a_proxy_is_planned_at_its_share(write_params):
    compare = {"full": "none", "selection-via-proxy": "proxy", "short": "none"}
    write_params({"compare": compare, "warm_ups.proxy": PROXY, "methods.short": {"controls": "selection-via-proxy"}})
    plan()
    planned = json.loads(Path("results/plan/methods/selection-via-proxy.json").read_text())
    short = json.loads(Path("results/plan/methods/short.json").read_text())
    # Half of five epochs, and two of the proxy with its look.
    assert planned["planned_cost"] == pytest.approx(0.5 * 5 + 0.05 * (2 + 1 / 3))
    assert short["length"] == pytest.approx(planned["planned_cost"], abs=1e-4)


def test_an_encoder_with_fewer_layers_may_be_the_proxy_of_the_whole(write_params):
    model = load(write_params({}) / "params.yaml").chosen.model.model_dump(by_alias=True) | {"num_hidden_layers": 1}
    proxy = {"epochs": 3, "proxy": {"model": model}}
    write_params(
        {
            "compare": {"full": "none", "selection-via-proxy": "small"},
            "warm_ups": {"none": {"epochs": 0}, "small": proxy},
            "diagnose": {"warm_up": "none"},
        }
    )
    plan()
    planned = json.loads(Path("results/plan/warm_ups/small.json").read_text())
    assert planned["proxy"]["model"]["num_hidden_layers"] == 1


@pytest.mark.parametrize(("key", "default", "other"), [("devices", 1, 2), ("deterministic", True, False)])
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


def test_a_stack_holds_its_members(write_params):
    write_params({"methods.both": ["swiftlearn"], "compare.both": "two-epochs"})
    plan()
    assert '"method": "swiftlearn"' in Path("results/plan/methods/both.json").read_text()


def test_a_studys_file_changes_one_setting_of_a_task_and_says_anew_what_to_compare(tmp_path):
    over = tmp_path / "study.yaml"
    over.write_text("compare: {full: none}\ntasks: {digits: {training: {epochs: 3}}}\nmethods: {uniform: {fraction: 0.5}}\n")
    own, read = load(ROOT / "params.yaml"), load(ROOT / "params.yaml", over)
    assert read.compare == {"full": "none"}
    assert read.tasks["digits"].training == own.tasks["digits"].training.model_copy(update={"epochs": 3})
    assert read.tasks["digits"].source == own.tasks["digits"].source
    assert read.methods == own.methods | {"uniform": {"fraction": 0.5}}


def test_every_stage_has_a_pool_and_the_file_says_the_defaults(write_params):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    pools = load(ROOT / "params.yaml").pools
    assert set(type(pools).model_fields) == {"default", *stages}
    expected = dict.fromkeys(stages, "cpu-pool") | {"warm_up": "gpu-pool", "train": "gpu-pool"}
    assert {s: pools.of(f"{s}@full") for s in stages} == expected
    write_params({"pools": {"default": "cpu-pool", "evaluate": "big"}})
    assert [load().pools.of(s) for s in ("train@full", "evaluate@full", "plan")] == ["cpu-pool", "big", "cpu-pool"]


def test_without_the_section_training_goes_to_the_gpus(write_params, gone):
    write_params({"pools": gone})
    assert load().pools == load(ROOT / "params.yaml").pools
