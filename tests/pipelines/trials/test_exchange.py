"""Parts of a study go from machine to machine whole or not at all."""

import errno
import os
import time
from pathlib import Path

import pytest

from pipelines.core import artifacts
from pipelines.core.command import SCRATCH
from pipelines.core.errors import UserError
from pipelines.trials import bundle, exchange
from pipelines.trials.exchange import FOLDER, HERE, Handover
from tests.pipelines.shared_studies import contents, run, shared


def times(folder):
    return {p.relative_to(folder): p.stat().st_mtime for p in folder.glob("results/[!p]*/*/*")}


@pytest.mark.slow
def test_what_one_hands_over_the_other_has_to_the_byte_and_the_second(machine):
    study = machine("one")
    shared(study, "full", "swiftlearn-0.5")
    before = {part: contents(study.path / part, but=("plan",)) for part in ("data", "seed-0")}
    written = times(study.of(0))
    other = machine("other")
    Handover().restore(other, 0, 1)
    assert {part: contents(other.path / part, but=("plan",)) for part in before} == before
    # MLflow is told numbers as of when their file was written.
    assert times(other.of(0)) == {name: pytest.approx(time, abs=1e-3) for name, time in written.items()}
    assert set(study.missing()) == set(other.missing())
    assert other.is_done(0, "swiftlearn-0.5")
    assert not other.is_done(1, "full")
    assert (other.of(1) / artifacts.MANIFEST).exists()


def test_of_a_cell_that_was_changed_nothing_is_taken_and_of_the_others_all(machine):
    shared(machine("one"), "full", "swiftlearn-0.5")
    study = machine("other", {"methods.swiftlearn.select": "sample"})
    Handover().restore(study, 0)
    assert study.is_done(0, "full")
    assert not study.is_done(0, "swiftlearn-0.5")
    # Its warm-up is the same.
    assert bundle.parts_of(study, 0, "swiftlearn-0.5")[0].is_restored
    study = machine("third", {"tasks.digits.training.batch_size": 64})
    Handover().restore(study, 0)
    assert not bundle.data_of(study).is_restored
    assert not study.is_done(0, "full")


def test_a_control_is_planned_by_what_its_cell_had_before_it_is_taken(machine):
    name = "short-at-infobatch"
    study = machine("one")
    run(study, 0, "infobatch")
    machine("one")
    shared(study, "infobatch", name)
    other = machine("other")
    Handover().restore(other, 0)
    planned = artifacts.read_json(other.of(0) / artifacts.plan_of("methods", name))
    assert planned["members"][0]["arguments"] == {"epochs": 4.5}
    assert other.is_done(0, name)


def run_elsewhere(machine):
    """Look for the trial on another machine, which must not have it then, run it there and hand it over."""
    study, handed = machine("other"), Handover()
    handed.restore(study, 0)
    assert not study.is_done(0, "full")
    run(study, 0, "full")
    handed.share(study, 0, "full")


def test_a_torn_file_is_replaced_by_who_runs_its_cell(machine, there):
    study = machine("one")
    shared(study, "full")
    own = bundle.parts_of(study, 0, "full")[1]
    path = there / FOLDER / own.name
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    left = path.with_name(f"{own.name}.0123.part")
    left.write_bytes(b"a killed one's")
    run_elsewhere(machine)
    assert len(path.read_bytes()) == len(whole)
    assert not left.exists()
    assert not list(Path(SCRATCH / "arriving").iterdir())


def test_without_its_data_nothing_of_a_study_is_there(machine, there):
    study = machine("one")
    shared(study, "full")
    (there / FOLDER / bundle.data_of(study).name).write_bytes(b"torn")
    run_elsewhere(machine)
    study = machine("third")
    Handover().restore(study, 0)
    assert study.is_done(0, "full")


def test_what_is_there_is_not_sent_again(machine, there):
    study = machine("one")
    shared(study, "full")
    before = {path: path.stat().st_mtime_ns for path in there.rglob("*.tar")}
    Handover().share(study, 0, "full")
    assert {path: path.stat().st_mtime_ns for path in there.rglob("*") if path.is_file()} == before
    assert len(before) == 3


def test_without_a_remote_it_lies_where_worktrees_of_one_clone_see_it(machine, tmp_path):
    for name in ("one", "other"):
        machine(name, shared=False)
        HERE.parent.mkdir(exist_ok=True)
        (tmp_path / "clone").mkdir(exist_ok=True)
        HERE.symlink_to(tmp_path / "clone")
    shared(machine("one", shared=False), "full")
    study = machine("other", shared=False)
    Handover().restore(study, 0)
    assert study.is_done(0, "full")
    assert not (tmp_path / "remote").exists()


def test_a_remote_that_is_away_is_waited_for_and_one_that_is_full_is_said(machine, there, monkeypatch, caplog):
    study = machine("one")
    run(study, 0, "full")
    handed = Handover()
    there.touch()
    monkeypatch.setattr(time, "sleep", lambda seconds: there.unlink())
    handed.share(study, 0, "full")
    said = [r.getMessage().partition(": ")[2] for r in caplog.records if r.name == exchange.__name__]
    assert said == ["Not a directory; trying again, for 600 s at most"]
    assert len(contents(there)) == 3

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run(study, 1, "full")
    monkeypatch.setattr(handed._files, "put_file", full)
    with pytest.raises(UserError, match=rf"^{there}: is full: a part of the study has [\d,]+ bytes; make room there, and run"):
        handed.share(study, 1, "full")
    assert exchange.HERE.parent == SCRATCH
