"""What trials are called on a study's page, and which of them are shown."""

from pathlib import Path

from pipelines.report import trial_names
from pipelines.trials.grid import Grid, Trial
from pipelines.trials.study_folder import StudyFolder
from tests.pipelines.study_rows import method_row

FULL, CONTROL = Trial("full", "full", "full"), Trial("short-at-2.0", "control", "short")
ONE, OTHER = (Trial(f"a-start-{s}-0.3", "method", "a", 0.3, settings=(("start", s),)) for s in (0.1, 0.2))
PLACE = StudyFolder(Path("study"), Grid((FULL, ONE, OTHER, CONTROL), None), (0, 1, 2))


def test_a_cell_is_called_by_what_tells_it_from_others():
    assert trial_names.distinguishing_setting(ONE) == "0.3 kept, start 0.1"
    assert trial_names.title(ONE) == "a, 0.3 kept, start 0.1"
    assert (trial_names.distinguishing_setting(FULL), trial_names.title(FULL)) == ("", "full")


def test_the_best_are_full_and_of_each_method_the_cell_of_highest_gain():
    rows = [method_row(method="full"), method_row(method="short", agot_best=True)]
    rows += [method_row(method="a", fraction=0.3, settings=c.settings_json, agot_best=c is OTHER) for c in (ONE, OTHER)]
    assert trial_names.best(PLACE, rows) == [FULL, OTHER]


def test_the_runs_of_a_cell_are_those_of_the_seeds_that_are_done(monkeypatch):
    monkeypatch.setattr(StudyFolder, "is_done", lambda self, seed, name: (seed, name) != (1, ONE.name))
    found = list(trial_names.runs(PLACE, ONE, "abc"))
    assert [(run.name, run.data, run.root) for run in found] == [(ONE.name, "abc", Path(f"study/seed-{s}")) for s in (0, 2)]
