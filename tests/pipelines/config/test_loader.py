"""Bad input in params.yaml: one clear error, and nothing written."""

import pytest

from pipelines.config.loader import load, load_received
from pipelines.core.errors import UserError
from tests.conftest import ROOT

TASK = "tasks.movie-reviews"
BAD = {
    "a name of many letters": ({"task": "x" * 300}, r"^params.yaml: task: String should match .{,40}, got 'x{39}\.\.\.x{19}'$"),
    "no value": ({"compare.full": None}, r"params.yaml: compare.full: has no value; write one, or leave the key out$"),
    "no block": ({"methods.swiftlearn": None}, r"methods.swiftlearn: has no value; write one, or leave the key out$"),
    "neither settings nor a stack": (
        {"methods.full": "x"},
        r"^params.yaml: methods.full: [^\n]*dictionary, got 'x'; or: [^\n]*list, got 'x'$",
    ),
    "neither rows nor a fraction": ({f"{TASK}.test": "x"}, r"^params.yaml: tasks.movie-reviews.test: [^\n]*$"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


@pytest.mark.parametrize("text", ["task: [", "\x00", "- 1", ""])
def test_a_broken_file_is_named(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml: cannot be read"):
        load(tmp_path / "params.yaml")


SAID = {
    "nothing": (None, r"^params\.yaml: cannot be read: .*: 'params\.yaml'$"),
    "an alias": ("a: &a 1\nb: *a", r"^params\.yaml: has an alias"),
}
SAID |= {"no YAML": ("a: [", r"^params\.yaml: cannot be read: "), "no mapping": ("3", r"^params\.yaml: ")}


@pytest.mark.parametrize(("text", "said"), SAID.values(), ids=SAID)
def test_what_is_in_another_folder_is_called_as_it_is_there(tmp_path, text, said):
    (tmp_path / "other").mkdir()
    if text is not None:
        (tmp_path / "other/params.yaml").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        load_received(root=tmp_path / "other")
    assert "other" not in str(caught.value)


def test_a_studys_file_changes_one_setting_of_a_task_and_says_anew_what_to_compare(tmp_path):
    over = tmp_path / "study.yaml"
    over.write_text("compare: {full: none}\ntasks: {digits: {training: {epochs: 3}}}\nmethods: {uniform: {fraction: 0.5}}\n")
    own, read = load(ROOT / "params.yaml"), load(ROOT / "params.yaml", over)
    assert read.compare == {"full": "none"}
    assert read.tasks["digits"].training == own.tasks["digits"].training.model_copy(update={"epochs": 3})
    assert read.tasks["digits"].source == own.tasks["digits"].source
    assert read.methods == own.methods | {"uniform": {"fraction": 0.5}}
