"""Parts of a study handed from one machine to another: the same bytes, whole or not at all, and nothing else.

And the commands that run what is not there yet, and gather what is.
"""

import errno
import io
import json
import os
import shutil
import tarfile
import time
from pathlib import Path

import pytest

from pipelines.config.loader import load
from pipelines.core import artifacts
from pipelines.core.command import SCRATCH
from pipelines.core.errors import UserError
from pipelines.study import collect, worker
from pipelines.trials import bundle, exchange, runner
from pipelines.trials import folder as trials_folder
from pipelines.trials.exchange import FOLDER, HERE, Handover
from pipelines.trials.grid import grid_of
from pipelines.trials.plan_files import lay_out
from tests.conftest import ROOT
from tests.pipelines.records import cost_record

STUDY = {"methods": {"swiftlearn": "two-epochs", "infobatch": "none"}, "fractions": [0.5], "seeds": [0, 1]}
#: What training counts, from which the controls of a trial are planned.
COST = cost_record(counts={"examples": 100, "drawn": 450, "looked": 0, "trained": 450, "kept": 0, "steps": 45})


@pytest.fixture
def there(tmp_path):
    return tmp_path / "remote"


@pytest.fixture
def machine(tmp_path, there, write_params, monkeypatch):
    """Go to one of several machines with the project's code and the same remote; return the place of its study."""

    def go(name, changes=None, *, shared=True):
        folder = tmp_path / name
        (folder / ".dvc").mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        write_params({"task": "digits", "study": STUDY} | (changes or {}))
        for code in ("components", "pipelines", "dvc.yaml"):
            if not (folder / code).exists():
                (folder / code).symlink_to(ROOT / code)
        remotes = f"    remote = there\n['remote \"there\"']\n    url = {there}\n" if shared else ""
        (folder / ".dvc/config").write_text(f"[core]\n    no_scm = True\n{remotes}")
        read = load()
        return lay_out(read, grid_of(read))

    return go


def run(study, seed, name):
    """Pretend that a trial has run: every file of its parts is there, and of a size of its own."""
    trials_folder.link_data(study.of(seed))
    for part in (bundle.data_of(study), *bundle.parts_of(study, seed, name)):
        for number, path in enumerate(part.paths):
            for file in ("manifest.json", "train.arrow", "test.arrow") if path == artifacts.PREPARED else ("",):
                target = part.folder / path / file
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(
                        json.dumps(COST.dumped()).encode() if "cost" in path.parts else os.urandom(700 * number + 1)
                    )
        for address, key in part.marks.items():
            artifacts.write_json(part.folder / trials_folder.mark_of(address), key)


def shared(study, *names, seed=0):
    for name in names:
        run(study, seed, name)
    handed = Handover()
    for name in names:
        handed.share(study, seed, name)


def contents(folder, *, but=()):
    found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file() and not set(p.parts) & set(but)}
    return {name: p.read_bytes() for name, p in found.items()}


def times(folder):
    return {p.relative_to(folder): p.stat().st_mtime for p in folder.glob("results/[!p]*/*/*")}


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
    assert other.done(0, "swiftlearn-0.5")
    assert not other.done(1, "full")
    assert (other.of(1) / artifacts.MANIFEST).exists()


def test_of_a_cell_that_was_changed_nothing_is_taken_and_of_the_others_all(machine):
    shared(machine("one"), "full", "swiftlearn-0.5")
    study = machine("other", {"methods.swiftlearn.select": "sample"})
    Handover().restore(study, 0)
    assert study.done(0, "full")
    assert not study.done(0, "swiftlearn-0.5")
    # Its warm-up is the same.
    assert bundle.parts_of(study, 0, "swiftlearn-0.5")[0].done
    study = machine("third", {"tasks.digits.training.batch_size": 64})
    Handover().restore(study, 0)
    assert not bundle.data_of(study).done
    assert not study.done(0, "full")


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
    assert other.done(0, name)


def packed(study, tmp_path, which=2):
    """Return the data, the warm-up or the own part of a trial that has run, packed, and the bytes of that."""
    run(study, 0, "full")
    part = (bundle.data_of(study), *bundle.parts_of(study, 0, "full"))[which]
    bundle.pack(part, tmp_path / "part.tar")
    return part, (tmp_path / "part.tar").read_bytes()


def emptied(part):
    for path in part.paths:
        if (part.folder / path).is_dir():
            shutil.rmtree(part.folder / path)
        else:
            (part.folder / path).unlink()
    shutil.rmtree(part.folder / SCRATCH)
    return contents(part.folder)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["data", "warm-up", "own"])
def test_what_is_torn_anywhere_counts_as_not_there_and_changes_nothing(machine, tmp_path, which):
    part, whole = packed(machine("one"), tmp_path, which)
    before = emptied(part)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        end = max(member.offset_data + member.size for member in tar)
    for length in (0, 1, *range(511, end, 2560), *range(512, end, 1024), end - 1):
        (tmp_path / "torn.tar").write_bytes(whole[:length])
        assert not bundle.unpack(part, tmp_path / "torn.tar"), length
        assert contents(part.folder) == before, length
    assert not bundle.unpack(part, tmp_path / "not there.tar")
    assert bundle.unpack(part, tmp_path / "part.tar")
    assert part.done


def test_a_kill_in_the_middle_leaves_no_mark(machine, tmp_path, monkeypatch):
    part, _ = packed(machine("one"), tmp_path)
    move = bundle._move

    def dies(source, target):
        if target.name == "predictions.parquet":
            raise KeyboardInterrupt
        move(source, target)

    monkeypatch.setattr(bundle, "_move", dies)
    with pytest.raises(KeyboardInterrupt):
        bundle.unpack(part, tmp_path / "part.tar")
    assert not part.done


def linked(name, kind, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


HOSTILE = {
    "a path above": tarfile.TarInfo("../../above"),
    "a whole path": tarfile.TarInfo("/params.yaml"),
    "a link": linked("results/x", tarfile.SYMTYPE, "history.json"),
    "a link that leads out": linked("results/x", tarfile.SYMTYPE, "/etc/passwd"),
    "a second name": linked("results/x", tarfile.LNKTYPE, "results/train/full/history.json"),
    "a device": linked("results/x", tarfile.CHRTYPE, ""),
}


@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE)
def test_a_file_with_what_no_part_has_is_refused_whole(machine, tmp_path, member):
    part, _ = packed(machine("one"), tmp_path)
    with tarfile.open(tmp_path / "part.tar", "a:") as tar:
        tar.addfile(member)
    emptied(part)
    before = contents(tmp_path)
    assert not bundle.unpack(part, tmp_path / "part.tar")
    assert contents(tmp_path) == before


def test_only_what_a_part_is_made_of_is_taken_and_only_under_its_own_marks(machine, tmp_path):
    part, whole = packed(machine("one"), tmp_path)
    with tarfile.open(tmp_path / "part.tar", "a:") as tar:
        for name in ("params.yaml", "results/plan/training.json", "results/train/swiftlearn-0.5/history.json"):
            tar.addfile(tarfile.TarInfo(name))
    emptied(part)
    before = contents(part.folder)
    assert bundle.unpack(part, tmp_path / "part.tar")
    new = {str(path) for path in contents(part.folder).keys() - before.keys()}
    assert new == {str(path) for path in (*part.paths, *map(trials_folder.mark_of, part.marks))}
    (tmp_path / "part.tar").write_bytes(whole)
    other = bundle.Part(part.study, part.folder, part.paths, dict.fromkeys(part.marks, "another"))
    assert not bundle.unpack(other, tmp_path / "part.tar")


def run_elsewhere(machine):
    """Look for the trial on another machine, which must not have it then, run it there and hand it over."""
    study, handed = machine("other"), Handover()
    handed.restore(study, 0)
    assert not study.done(0, "full")
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
    assert study.done(0, "full")


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
    assert study.done(0, "full")
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


@pytest.fixture
def running(monkeypatch):
    """Let trials run in no time, those that are named failing so; return which have been tried."""
    tried = []

    def runs(**errors):
        def trial(study, seed, name):
            tried.append(name)
            if error := errors.get(name.replace("-", "_")):
                raise error
            if study.grid[name].after:
                assert exchange._is_planned(study, seed, study.grid[name])
            run(study, seed, name)

        tried.clear()
        monkeypatch.setattr(runner, "run", trial)
        return tried

    return runs


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
    assert bundle.data_of(study).done
    assert [part.done for part in bundle.parts_of(study, 0, "full")] == [True, False]


def test_units_are_a_task_and_a_seed_each(machine):
    machine("one")
    assert worker.units() == ["digits@0", "digits@1"]
    machine("one", {"study": STUDY | {"tasks": ["digits", "fashion-mnist"], "seeds": [7]}})
    assert worker.units() == ["digits@7", "fashion-mnist@7"]


def test_gathering_tells_what_is_missing_then_what_failed_and_of_a_whole_study_the_tables_at_once(
    machine, running, monkeypatch
):
    told = []
    monkeypatch.setattr(collect, "tell", lambda study, task, failed: told.append(failed) or {"cells": []})
    monkeypatch.setattr(collect, "tell_together", lambda read, file, asked, studies, written: len(told[-1]))
    machine("one")
    running()
    worker.part("digits@0")
    study = machine("main")
    assert collect.gather() == 0
    assert artifacts.read_json(artifacts.UNITS_MISSING) == [["digits", 1]]
    assert told == []
    artifacts.write_json(artifacts.UNITS_FAILED, {"digits@1": {"full": "nan", "": "digits seed 1: agent x was not heard of"}})
    assert collect.gather(str(artifacts.UNITS_FAILED)) == 1
    assert told[0] == {
        (1, trial.name): "nan" if trial.name == "full" else "digits seed 1: agent x was not heard of"
        for trial in study.grid.trials
    }
    machine("other")
    worker.part("digits@1")
    machine("last")
    assert collect.gather() == 0
    assert artifacts.read_json(artifacts.UNITS_MISSING) == []
    assert told[1] == {}


def test_where_nothing_was_handed_over_the_reason_is_that_of_the_study(machine):
    machine("main")
    artifacts.write_json(artifacts.UNITS_FAILED, {"digits@0": {"": "agent x: has other packages"}})
    with pytest.raises(UserError, match=r"^agent x: has other packages$"):
        collect.gather(str(artifacts.UNITS_FAILED))
    artifacts.write_json(artifacts.UNITS_FAILED, {})
    with pytest.raises(UserError, match="no result in the DVC remote; check that all agents use the same WINNOW_DVC_REMOTE"):
        collect.gather(str(artifacts.UNITS_FAILED))
