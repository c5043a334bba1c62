"""Trials run by the stages' own functions, each in the folder of its seed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import train
from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.core.tables import read_table
from pipelines.trials import runner
from pipelines.trials import study_folder as trials_folder


def test_a_control_of_a_cell_without_results_says_so(study, monkeypatch):
    laid = study()
    monkeypatch.setattr(runner, "_prepare", lambda study: None)
    with pytest.raises(UserError, match=r"^short-at-infobatch is a control at the cost of infobatch, which has no results"):
        runner.run(laid, 1, "short-at-infobatch")


@pytest.mark.slow
def test_paths_are_relative_to_the_projects_folder(study, tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for kind in ("cats", "dogs"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
            Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(tmp_path / "data" / split / kind / "1.png")
    changes = {"tasks.digits.source": {"from": "folder", "folder": "data"}, "tasks.digits.test": None}
    laid = study(changes)
    runner._prepare(laid)
    assert artifacts.read_json(laid.path / "data" / artifacts.MANIFEST)["classes"] == ["cats", "dogs"]
    (tmp_path / "data" / "train" / "cats" / "1.png").write_bytes((tmp_path / "data" / "test" / "dogs" / "1.png").read_bytes())
    assert study(changes).path != laid.path
    laid = study({"tasks.digits.source": {"from": "folder", "folder": "pets"}, "tasks.digits.test": None})
    with pytest.raises(UserError, match=r"^pets: no such folder"):
        runner.run(laid, 0, "full")
    assert Path.cwd() == tmp_path


def test_a_mark_of_work_that_was_begun_anew_is_gone(tmp_path):
    runner._once(tmp_path, "train@x", "one", lambda: None)
    assert trials_folder.is_marked(tmp_path, "train@x", "one")

    def dies():
        assert not (tmp_path / trials_folder.mark_of("train@x")).exists()
        raise KeyboardInterrupt

    runner._once(tmp_path, "train@x", "one", dies)
    with pytest.raises(KeyboardInterrupt):
        runner._once(tmp_path, "train@x", "two", dies)
    # What it would find is not all of setting one any more.
    assert not trials_folder.is_marked(tmp_path, "train@x", "one")


@pytest.mark.slow
def test_two_trials_live_in_one_process(study, torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    laid = study({"tasks.digits.training.epochs": 3}, fractions=[0.5])
    for seed in laid.seeds:
        runner.run(laid, seed, "full")
    jobs = []
    for seed in laid.seeds:
        plan = MethodPlan.read(laid.of(seed) / artifacts.plan_of("methods", "full"))
        jobs.append(train.begin(plan, laid.of(seed)))
    for seed, (job, inputs) in zip(laid.seeds, jobs, strict=True):
        job.run(None, inputs)
        alone, _ = read_table(laid.of(seed) / artifacts.result("train", "full", "ledger.parquet"))
        np.testing.assert_array_equal(job.training.ledger.column("loss"), alone["loss"])
        assert job.training.ledger.column("trained").tolist() == alone["trained"].tolist()
    first, second = (job.training.ledger.column("loss") for job, _ in jobs)
    assert (first != second).any()
