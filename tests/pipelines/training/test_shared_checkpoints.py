"""A checkpoint that agents share: the one that is farther wins, what is torn is left, and no trouble stops a training."""

import os
import threading
import time

import pytest
import torch

from pipelines.core import artifacts
from pipelines.core.environment import CHECKPOINTS
from pipelines.core.errors import UserError
from pipelines.services import worker
from pipelines.training import shared_checkpoints
from pipelines.training.checkpoints import Checkpoint


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path, monkeypatch):
    """Name a place for copies; return a reader of the names that lie there."""
    import fsspec

    address = {"folder": str(tmp_path / "there" / "deep"), "memory": f"memory://{tmp_path}/there"}[request.param]
    monkeypatch.setenv(CHECKPOINTS.name, address)
    files, folder = fsspec.url_to_fs(address)
    return lambda: sorted(os.path.basename(f) for f in files.find(folder))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Go to one machine's folder, and return the checkpoint of one stage there."""

    def go(name):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        return Checkpoint("train", "full", {"seed": 0})

    return go


def save(checkpoint, epoch, drawn=0, steps=0):
    position = {"epoch": epoch, "drawn": drawn, "steps": steps}
    artifacts.write_state(checkpoint.path, {"key": checkpoint.key, "position": position}, {"a": torch.zeros(9)})


def reached(checkpoint):
    checkpoint.take_over()
    return artifacts.read_state(checkpoint.path)[0]["position"]["epoch"] if checkpoint.path.exists() else None


@pytest.mark.parametrize(("theirs", "own", "taken"), [(3, None, 3), (3, 1, 3), (1, 3, 3)])
def test_the_one_that_is_farther_in_training_is_taken_whatever_its_date(place, machine, capsys, theirs, own, taken):
    first = machine("first")
    save(first, theirs, steps=1234)
    first._shared.put()
    second = machine("second")
    if own is not None:
        save(second, own)
        os.utime(second.path, (2e9, 2e9) if own < theirs else (1, 1))
    assert reached(second) == taken
    assert ("resumes from the shared copy, epoch 4, step 1,234" in capsys.readouterr().err) == (taken != own)
    assert place() == [second.path.name]
    second.remove()
    assert place() == []
    assert list(second.path.parent.iterdir()) == []


def test_inside_an_epoch_the_rows_decide(place, machine):
    first = machine("first")
    save(first, 2, drawn=64, steps=1)
    first._shared.put()
    second = machine("second")
    save(second, 2, drawn=32, steps=9)
    second.take_over()
    assert artifacts.read_state(second.path)[0]["position"]["drawn"] == 64


def torn(path):
    path.write_bytes(path.read_bytes()[:-9])


def foreign(path):
    artifacts.write_state(path, {"key": "of another", "position": {"epoch": 9, "drawn": 0, "steps": 0}}, {})


def no_state(path):
    path.write_bytes(b"\x80\x04K*.")


@pytest.mark.parametrize("spoil", [torn, foreign, no_state])
def test_a_copy_that_is_torn_or_foreign_is_left_with_one_line(place, machine, capsys, spoil):
    first = machine("first")
    save(first, 5)
    spoil(first.path)
    first._shared.put()
    second = machine("second")
    save(second, 1)
    assert reached(second) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot resume from " in line
    assert line.endswith("training continues without it")


@pytest.mark.parametrize("address", ["s3://bucket/x", "nope://me:secret@host/x", "/dev/null/x", "http://127.0.0.1:9/x"])
def test_a_place_that_cannot_be_reached_costs_one_line(machine, monkeypatch, capsys, address):
    monkeypatch.setenv(CHECKPOINTS.name, address)
    monkeypatch.setattr(shared_checkpoints, "PUT_SECONDS", 5)
    checkpoint = machine("first")
    save(checkpoint, 1)
    checkpoint._shared.put()
    assert reached(checkpoint) == 1
    checkpoint._shared.put()
    checkpoint.remove()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("winnow: WINNOW_CHECKPOINTS: ")
    assert "secret" not in line


def test_a_place_that_hangs_is_not_waited_for(place, machine, monkeypatch, capsys):
    hangs, puts = threading.Event(), []
    monkeypatch.setattr(shared_checkpoints, "PUT_SECONDS", 0.1)
    monkeypatch.setattr(shared_checkpoints.Shared, "_put", lambda self: (puts.append(1), hangs.wait(60)))
    checkpoint = machine("first")
    begun = time.monotonic()
    for _ in range(5):
        checkpoint._shared.put()
    assert time.monotonic() - begun < 30
    assert len(puts) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "did not answer in 0 s" in line
    hangs.set()


def test_a_copy_that_breaks_off_leaves_the_last_one_whole_and_its_rest_is_removed(place, machine, monkeypatch):
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.implementations.memory import MemoryFileSystem

    checkpoint = machine("first")
    save(checkpoint, 1)
    checkpoint._shared.put()

    def breaks_off(self, source, target, **more):
        self.pipe_file(target, b"half")
        raise OSError("the line is down")

    for kind in (LocalFileSystem, MemoryFileSystem):
        monkeypatch.setattr(kind, "put_file", breaks_off)
    save(checkpoint, 2)
    checkpoint._shared.put()
    assert len(place()) == 2
    assert reached(machine("second")) == 1
    checkpoint.remove()
    assert place() == []


def test_without_a_place_nothing_is_said_or_done(machine, monkeypatch, capsys):
    monkeypatch.delenv(CHECKPOINTS.name, raising=False)
    checkpoint = machine("first")
    save(checkpoint, 1)
    checkpoint._shared.put()
    assert reached(checkpoint) == 1
    checkpoint.remove()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("address", ["checkpoints", "nope://x", "s3-no-such://b"])
def test_an_agent_is_told_of_an_address_that_cannot_work(address):
    shared_checkpoints.check("/srv/checkpoints")
    shared_checkpoints.check("memory://x")
    with pytest.raises(UserError, match=r"^WINNOW_CHECKPOINTS: "):
        worker.check(dict.fromkeys(worker.NEEDED, "http://x") | {CHECKPOINTS.name: address})
