"""A checkpoint that cannot be gone on with is named, with what to do about it."""

import pytest
import torch
from safetensors.torch import save_file

from pipelines import artifacts
from pipelines.checkpoints import Checkpoint
from pipelines.errors import UserError


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Checkpoint("train", "full", {"seed": 0})
    made.path.parent.mkdir(parents=True)
    return made


def cut(checkpoint):
    artifacts.write_state(checkpoint.path, {"key": checkpoint.key}, {"a": torch.zeros(9)})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-9])


def renamed(checkpoint):
    artifacts.write_state(checkpoint.path, {"key": "of another run"}, {})


BAD = {
    "cut": (cut, "cannot be read: .*"),
    "empty": (lambda checkpoint: checkpoint.path.write_bytes(b""), "cannot be read: .*"),
    "renamed": (renamed, r"must be of the inputs [0-9a-f]{64}, got of another run"),
    "something else": (lambda checkpoint: save_file({"a": torch.zeros(1)}, checkpoint.path), "holds no state of a run"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_it_is_refused_by_name(checkpoint, spoil, said):
    spoil(checkpoint)
    with pytest.raises(UserError, match=rf"train\.full\.\w+\.safetensors: {said}; delete it to train from the start"):
        checkpoint.load(training=None)


def test_other_inputs_never_find_it(checkpoint):
    artifacts.write_state(checkpoint.path, {"key": checkpoint.key}, {})
    assert Checkpoint("train", "full", {"seed": 1}).load(training=None) is None
