"""What DVC recorded is read, and held against what is on disk."""

import hashlib
from pathlib import Path

import pytest
import yaml

from pipelines.core.errors import UserError
from pipelines.versioning import dvc_lock

#: The MD5 of ``abc``, of RFC 1321.
ABC = "900150983cd24fb0d6963f7d28e17f72"


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """Go where two stages have run, one after the other."""
    monkeypatch.chdir(tmp_path)
    names = ("results/plan/a.json", "results/train/a", "results/evaluate/a")
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("abc")
    plan, model, metrics = ({"path": name, "md5": ABC} for name in names)
    code = {"path": "components/x.py", "md5": "0" * 32}
    stages = {"train@a": {"deps": [code, plan], "outs": [model]}, "evaluate@a": {"deps": [model], "outs": [metrics]}}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return stages


def test_hashes_of_files_and_folders_by_hand(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("abc")
    (tmp_path / "a.txt").write_text("")
    assert dvc_lock.md5_of(tmp_path / "deep" / "b.txt") == ABC
    empty = '{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "a.txt"}'
    listing = f'[{empty}, {{"md5": "{ABC}", "relpath": "deep/b.txt"}}]'
    expected = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()
    assert dvc_lock.md5_of(tmp_path) == f"{expected}.dir"
    assert dvc_lock.md5_of(tmp_path / "absent") is None


def test_a_stage_holds_while_what_it_read_and_wrote_is_there(locked):
    assert dvc_lock.Lock().holds("train@a", bytes_too=True)
    assert not dvc_lock.Lock().holds("train@b")
    Path("results/train/a").write_text("changed")
    assert dvc_lock.Lock().holds("train@a")
    assert not dvc_lock.Lock().holds("train@a", bytes_too=True)
    Path("results/train/a").unlink()
    assert not dvc_lock.Lock().holds("train@a")


def test_a_stage_does_not_hold_where_what_it_read_is_another_now(locked):
    Path("results/plan/a.json").write_text("changed")
    assert not dvc_lock.Lock().holds("train@a")
    assert dvc_lock.Lock().holds("evaluate@a")
    # What another stage wrote goes by the lock, and not by the disk.
    locked["train@a"]["outs"][0]["md5"] = "0" * 32
    locked["evaluate@a"]["deps"] = [{"path": "results/train/a", "md5": ABC}]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": locked}))
    assert not dvc_lock.Lock().holds("evaluate@a")


def test_a_lock_is_held_against_the_disk_of_its_own_folder(locked, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert dvc_lock.Lock().stages == {}
    assert dvc_lock.Lock(tmp_path).holds("train@a", bytes_too=True)
    (tmp_path / "results/train/a").write_text("changed")
    assert not dvc_lock.Lock(tmp_path).holds("train@a", bytes_too=True)
    (tmp_path / "results/plan/a.json").unlink()
    assert not dvc_lock.Lock(tmp_path).holds("train@a")


def test_a_key_is_of_all_that_the_stages_wrote(locked):
    lock = dvc_lock.Lock()
    assert lock.key("train@a") not in (None, lock.key("evaluate@a"), lock.key("train@a", "evaluate@a"))
    assert lock.key("train@a", "train@b") is None


def test_the_code_of_stages_is_what_dvc_yaml_says(tmp_path):
    path = tmp_path / "dvc.yaml"
    plain, each = {"deps": ["pipelines/z.py", "components/x.py", "results/plan"]}, {"do": {"deps": ["components/w.py"]}}
    path.write_text(yaml.safe_dump({"stages": {"plan": plain, "train": each}}))
    assert dvc_lock.code_of(["train", "plan"], path) == ["components/w.py", "components/x.py", "pipelines/z.py"]
    with pytest.raises(UserError, match=r"dvc\.yaml: cannot be read: 'prepare'"):
        dvc_lock.code_of(["prepare"], path)


def test_a_lock_that_is_not_whole_is_refused_and_none_is_empty(tmp_path):
    assert dvc_lock.read_lock(tmp_path / "dvc.lock") == {}
    (tmp_path / "dvc.lock").write_text("stages: [")
    with pytest.raises(UserError, match=r"dvc\.lock: cannot be read"):
        dvc_lock.read_lock(tmp_path / "dvc.lock")
