"""Curves of validation are of what was recorded, against what it had cost until then."""

from types import SimpleNamespace

import pytest

from components.costs.savings import Metric
from components.epoch_records import ValidatedEpoch
from pipelines.core.artifacts import cost_of, plan_of, result
from pipelines.costs.history import write_history
from pipelines.costs.validation_curve import Judged
from pipelines.report.run_results import Run
from pipelines.report.sections import validation
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.study_folder import StudyFolder
from tests.pipelines.records import cost_record, epoch_record, method_plan

ACCURACY = Metric("accuracy", True)
JUDGING = {"evaluations": 2, "examples": 20, "cpu_seconds": 0.5, "wall_seconds": 1.0, "kwh": 0.00025, "co2e_kg": 0.0}


def lap(seconds):
    return {"times": 1, "examples": 1, "wall_seconds": seconds, "cpu_seconds": seconds}


def trained(root, name, values):
    """Write the files of a method that was judged to have ``values``, epoch by epoch; None is an epoch without."""
    method_plan(name, warm_up="none").write(root / plan_of("methods", name))
    records = [epoch_record(epoch) for epoch in range(len(values))]
    history = [
        r if v is None else ValidatedEpoch(**vars(r), validation={"accuracy": v}) for r, v in zip(records, values, strict=True)
    ]
    write_history(root / result("train", name, "history.json"), history)
    cost_record(laps={}).write(root / cost_of("warm_up", "none"))
    cost_record(laps={"select": lap(0.5)}).write(root / cost_of("subset", name))
    ends = [{"epoch": epoch, "cpu_seconds": epoch + 1.0, "kwh": 0.001} for epoch in range(len(values))]
    more = {"validation": JUDGING} if any(values) else {}
    cost_record(ends=ends, **more).write(root / cost_of("train", name))


def test_a_method_has_a_curve_and_the_cost_of_its_evaluations(tmp_path):
    trained(tmp_path, "full", [0.5, None, 0.75, 0.625])
    trained(tmp_path, "a", [0.25, None, 0.5])
    runs = [Run(name, root=tmp_path) for name in ("full", "a")]
    (section,) = validation.of_comparison(runs, ACCURACY)
    assert section.text[1] == (
        "Best accuracy: full 0.7500 after epoch 3 (of 3 evaluations), a 0.5000 after epoch 3 (of 2 evaluations)."
    )
    assert section.table.rows == [["full", "2", "20", "0.500", "0.2500"], ["a", "2", "20", "0.500", "0.2500"]]
    (figure,) = section.figures
    assert "validation accuracy" in figure.svg
    assert figure.caption.startswith("accuracy on the validation split against examples trained, CPU seconds and energy")


def test_what_a_method_took_to_a_score_is_beside_its_cost(tmp_path):
    trained(tmp_path, "full", [0.5, None, 0.75, 0.625])
    trained(tmp_path, "a", [0.25, None, 0.5])
    runs = [Run(name, root=tmp_path) for name in ("full", "a")]
    (section,) = validation.of_comparison(runs, ACCURACY, 0.7)
    assert list(section.table.heads)[-3:] == ["trained to 0.7", "CPU s to 0.7", "Wh to 0.7"]
    # The third epoch's end, after half a second of selecting.
    assert [row[-3:] for row in section.table.rows] == [["30", "3.5", "4.000"], ["", "", ""]]
    assert section.text[2].startswith("The last columns are what a method took, ")


def test_without_evaluations_there_is_no_section(tmp_path):
    trained(tmp_path, "full", [None, None])
    assert validation.of_comparison([Run("full", root=tmp_path)], ACCURACY) == []


def test_an_evaluation_is_a_point_at_its_cost():
    found = [Judged(1, 20, 2.5, 0.001, {"accuracy": 0.5}), Judged(3, 40, None, None, {"accuracy": 0.7})]
    assert validation.points_of(found, ACCURACY) == {1: (20, 2.5, 0.001, 0.5), 3: (40, None, None, 0.7)}


@pytest.mark.parametrize(("judged", "target"), [(True, None), (True, 0.75), (False, None)])
def test_a_study_has_the_means_over_its_seeds(tmp_path, monkeypatch, judged, target):
    monkeypatch.setattr(StudyFolder, "is_done", lambda *_: True)
    trial = Trial("full", "full", "full")
    study = StudyFolder(tmp_path, Grid((trial,), SimpleNamespace(chosen=SimpleNamespace(time_to=target))), (0, 1))
    for seed in study.seeds:
        trained(study.of(seed), "full", [0.5, 0.75 + seed / 8] if judged else [None])
    sections = validation.of_study(study, [trial], ACCURACY)
    assert len(sections) == judged
    if judged:
        assert "thin lines are the seeds" in sections[0].text[1]
        assert len(sections[0].figures) == 1
        # Both seeds are there after the second epoch.
        rows = sections[0].table and sections[0].table.rows
        assert rows == (None if target is None else [["full", "20", "2.5", "4.000"]])
