"""What gives a study another folder, and what another trial."""

import pytest

from pipelines.core import artifacts
from pipelines.trials import study_folder as trials_folder
from tests.conftest import ROOT
from tests.pipelines.trials.conftest import STUDY


def test_more_methods_fractions_and_seeds_move_nothing_that_was_there(study):
    first = study()
    planned = [(s, n) for s, n in first.missing() if not first.grid[n].after]
    marks = {(s, n): [key for _, key in steps(first, s, n)] for s, n in planned}
    more = {"methods": STUDY["methods"] | {"uniform": "none"}, "fractions": [0.3, 0.1, 0.5], "seeds": [2, 1, 0]}
    second = study({"warm_ups.longer": {"epochs": 1}}, **more)
    assert second.path == first.path
    assert len(second.missing()) > len(marks)
    assert {(s, n): [key for _, key in steps(second, s, n)] for s, n in marks} == marks


def steps(study, seed, name):
    return trials_folder.steps(study.of(seed), name)


@pytest.mark.parametrize(
    "changes",
    [{"tasks.digits.training.batch_size": 64}, {"tasks.digits.test": 0.3}, {"seed": 5}, {"tasks.digits.model.name": "cnn"}],
    ids=str,
)
def test_another_task_or_setting_has_another_place(study, changes):
    assert study().path != study(changes).path


def test_another_setting_of_a_method_is_another_cell_of_the_same_place(study):
    first = study()
    second = study({"methods.swiftlearn.select": "sample"})
    assert second.path == first.path
    assert steps(second, 0, "infobatch")[1][1] == steps(first, 0, "infobatch")[1][1]
    done = [key for _, key in steps(second, 0, "swiftlearn-0.1")]
    study()
    assert done[0] == steps(first, 0, "swiftlearn-0.1")[0][1]
    assert done[1] != steps(first, 0, "swiftlearn-0.1")[1][1]


def test_other_code_has_another_place(study, tmp_path):
    first = study()
    (tmp_path / "dvc.yaml").unlink()
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text().replace("components/models", "components/diagnosis"))
    assert study().path != first.path


def test_the_split_is_that_of_the_projects_seed_for_every_seed(study):
    laid = study({"seed": 3})
    for seed in laid.seeds:
        read = artifacts.read_json(laid.of(seed) / artifacts.plan_of("task"))
        assert read["seed"] == 3
        assert artifacts.read_json(laid.of(seed) / artifacts.plan_of("training"))["seed"] == seed
