"""What is asked of a deployment beside a params.yaml: resolved once, bounded, and refused by its key with the nearest one."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import overrides as config_overrides
from pipelines.config.loader import load_received
from pipelines.core.errors import UserError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)


def resolve(task="", methods=(), overrides=None):
    return config_overrides.resolve(load_received(), "sent", task, list(methods), overrides or {})


def test_nothing_asked_for_changes_nothing():
    before = Path("params.yaml").read_bytes()
    assert resolve() == (load_received(), "sent")
    assert Path("params.yaml").read_bytes() == before


def test_task_methods_and_keys_are_one_text_for_all_stages():
    held, text = resolve("digits", ["full", "short"], {"seed": 7, "tasks.digits.training.clip_norm": 1.5})
    assert (held.task, held.seed, list(held.compare)) == ("digits", 7, ["full", "short"])
    assert held.chosen.training.clip_norm == 1.5
    # The text says it all by itself, as DVC reads it too.
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    Path("params.yaml").write_text(text)
    assert load_received() == held


def test_the_params_of_another_folder_are_changed_there(tmp_path):
    before, root = Path("params.yaml").read_bytes(), tmp_path / "worktree"
    root.mkdir()
    shutil.copy("params.yaml", root)
    held, text = config_overrides.resolve(load_received(root=root), "", "digits", [], {"seed": 7}, root)
    assert (held.task, held.seed) == ("digits", 7)
    assert ((root / "params.yaml").read_text(), load_received(root=root)) == (text, held)
    assert Path("params.yaml").read_bytes() == before


def test_a_method_keeps_the_warm_up_that_it_has():
    own = load_received()
    name, warm_up = next((n, w) for n, w in own.compare.items() if own.warm_ups[w].epochs)
    assert resolve(methods=["full", name])[0].compare == {"full": own.compare["full"], name: warm_up}


WRONG = {
    "a task": ({"task": "digit"}, "task: 'digit': no such task, did you mean 'digits'"),
    "a method": (
        {"methods": ["full", "swiftlern"]},
        "methods: 'swiftlern': no such method in params.yaml, did you mean 'swiftlearn'",
    ),
    "no full": ({"methods": ["short"]}, "compare: 'full' is missing"),
    "a key on the way": (
        {"overrides": {"method.swiftlearn.fraction": 0.1}},
        "overrides: method: no such .*did you mean 'methods'",
    ),
    "a key below": ({"overrides": {"tasks.digit.test": 0.1}}, "overrides: tasks.digit: no such .*did you mean 'digits'"),
    "through a value": ({"overrides": {"seed.x": 1}}, "overrides: seed: no such mapping"),
    "a last key": (
        {"overrides": {"tasks.digits.training.epoch": 3}},
        "digits.training: 'epoch': no such key, did you mean 'epochs'",
    ),
    "a value": (
        {"overrides": {"tasks.digits.training.epochs": 0}},
        "tasks.digits.training.epochs: .*the nearest that works is 1",
    ),
    "too deep": ({"overrides": {"study": {"a": [[[[{}]]]]}}}, "overrides: study: must be at most 5 deep, got 6"),
    "too large": ({"overrides": {"seed": "x" * 20_000}}, "overrides: must be at most 16384 characters"),
    "too large a text": ({"overrides": {"agot_epsilon": 0.5}}, "must be at most 100 characters"),
}


@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named(monkeypatch, wrong, said):
    if "at most 100" in said:
        monkeypatch.setattr(config_overrides, "MOST_TEXT", 100)
    with pytest.raises(UserError, match=said):
        resolve(**wrong)


#: Texts that YAML 1.1 and 1.2 tell apart, and that a careless writer would leave bare.
AWKWARD = st.sampled_from(["yes", "010", "1e-3", "*x", "&x", "null", "a: b", "- a", "0x1", "1_0", "~", "12:30"]) | st.text(
    max_size=20
)


@pytest.mark.slow
@settings(max_examples=20)
@given(AWKWARD, st.floats(1e-12, 1))
def test_what_is_written_is_what_was_asked_for(word, number):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    held, text = resolve(overrides={"tasks.digits.citation": word, "agot_epsilon": number})
    assert (held.tasks["digits"].citation, held.agot_epsilon) == (word, number)
    assert yaml.safe_load(text)["agot_epsilon"] == number
