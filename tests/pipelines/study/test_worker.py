"""A unit of a study runs what no machine has run."""

from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.study import worker
from pipelines.trials import bundle, runner
from pipelines.trials import study_folder as trials_folder
from pipelines.trials.exchange import Handover
from tests.pipelines.shared_studies import STUDY, run, shared


def test_a_unit_runs_what_no_machine_has_run_and_hands_over_each(machine, running):
    study = machine("one")
    shared(study, "full")
    study = machine("other")
    tried = running()
    assert worker.part("digits@0") == 0
    assert tried == [trial.name for trial in study.grid.trials if trial.name != "full"]
    study = machine("third")
    running()
    assert worker.part("digits@0") == 0
    assert tried == []
    assert {seed for seed, _ in study.missing()} == {1}


def test_a_cell_that_fails_is_tried_again_and_told_of_and_the_others_are_handed_over(machine, running, capsys):
    study = machine("one")
    tried = running(full=KeyError("x"), infobatch=UserError("the loss of id 3 is nan"), short_at_infobatch=UserError("waits"))
    assert worker.part("digits@0") == 1
    assert tried.count("full") == 3
    assert tried.count("infobatch") == 1
    told = artifacts.read_json(artifacts.unit_failures("digits@0"))
    assert {k: told[k] for k in ("full", "infobatch")} == {"full": "KeyError: 'x'", "infobatch": "the loss of id 3 is nan"}
    assert "infobatch, seed 0: failed: the loss of id 3 is nan" in capsys.readouterr().err
    failed = {name for seed, name in study.missing() if seed == 0}
    assert failed == set(told)
    study = machine("other")
    Handover().restore(study, 0)
    assert {name for seed, name in study.missing() if seed == 0} == failed


def test_of_a_cell_that_fails_the_data_and_the_warm_up_are_handed_over(machine, monkeypatch):
    study = machine("one")

    def fails(study, seed, name):
        run(study, seed, "full")
        (study.of(seed) / trials_folder.mark_of("evaluate@full")).unlink()
        raise UserError("no")

    monkeypatch.setattr(runner, "run", fails)
    assert worker.part("digits@0") == 1
    study = machine("other")
    Handover().restore(study, 0)
    assert bundle.data_of(study).is_restored
    assert [part.is_restored for part in bundle.parts_of(study, 0, "full")] == [True, False]


def test_units_are_a_task_and_a_seed_each(machine):
    machine("one")
    assert worker.units() == ["digits@0", "digits@1"]
    machine("one", {"study": STUDY | {"tasks": ["digits", "fashion-mnist"], "seeds": [7]}})
    assert worker.units() == ["digits@7", "fashion-mnist@7"]
