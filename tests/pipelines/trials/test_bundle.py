"""Packed parts of a study are taken whole or not at all."""

import io
import shutil
import tarfile

import pytest

from pipelines.core.command import SCRATCH
from pipelines.trials import bundle
from pipelines.trials import study_folder as trials_folder
from tests.pipelines.shared_studies import contents, run


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
    assert part.is_restored


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
    assert not part.is_restored


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
