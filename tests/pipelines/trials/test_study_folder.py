"""A study's folder: which trials are done, and data that all seeds share."""

from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.trials import study_folder as trials_folder
from pipelines.trials.study_folder import DATA, StudyFolder


def test_a_cell_is_done_when_all_its_steps_are_with_the_settings_that_it_has_now(study):
    laid = study()
    root = laid.of(0)
    assert laid.missing()[0] == (0, "full")
    for address, key in trials_folder.steps(root, "full"):
        assert not laid.is_done(0, "full")
        artifacts.write_json(root / trials_folder.mark_of(address), key)
    assert (laid.is_done(0, "full"), laid.is_done(1, "full")) == (True, False)
    assert {seed for seed, name in laid.missing() if name == "full"} == {1}
    path = root / artifacts.plan_of("methods", "full")
    MethodPlan.read(path).model_copy(update={"length": 3.0}).write(path)
    assert not laid.is_done(0, "full")


def test_cells_of_one_warm_up_share_its_step_alone(study):
    root = study().of(0)
    (warm_up, train, evaluate), other = (trials_folder.steps(root, f"swiftlearn-{fraction}") for fraction in (0.1, 0.5))
    assert warm_up == other[0]
    assert warm_up[0] == "warm_up@two-epochs"
    assert (train[0], evaluate[0]) == ("train@swiftlearn-0.1", "evaluate@swiftlearn-0.1")
    assert train[1] == evaluate[1] != other[1][1]


def test_every_seed_sees_the_data_of_the_study(tmp_path):
    laid = StudyFolder(tmp_path, None, (0, 1))
    assert not laid.has_data
    for path in (artifacts.MANIFEST, artifacts.cost_of("prepare")):
        artifacts.write_json(tmp_path / DATA / path, str(path))
    assert laid.has_data
    for seed in (0, 1, 1):
        trials_folder.link_data(laid.of(seed))
        for path in (artifacts.MANIFEST, artifacts.cost_of("prepare")):
            assert artifacts.read_json(laid.of(seed) / path) == str(path)
