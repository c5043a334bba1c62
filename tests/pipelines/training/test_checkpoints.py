"""A checkpoint that cannot be gone on with is named, with what to do about it."""

from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.engine.schedules import Schedule
from components.engine.training import Training
from components.evidence.ledger import Ledger, LogitMemory
from components.models.small import cnn
from components.run_position import Plan
from components.selection.selector import Selector
from components.tasks.image import Images
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.training.builders import placed
from pipelines.training.checkpoints import Checkpoint, pack, unpack


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
    "renamed": (renamed, r"must be a checkpoint of the inputs [0-9a-f]{64}, got of another run"),
    "something else": (lambda checkpoint: save_file({"a": torch.zeros(1)}, checkpoint.path), "has no training state"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_it_is_refused_by_name(checkpoint, spoil, said):
    spoil(checkpoint)
    with pytest.raises(UserError, match=rf"train\.full\.\w+\.safetensors: {said}; delete it to train from the start"):
        checkpoint.load(training=None)


def test_other_inputs_never_find_it(checkpoint):
    artifacts.write_state(checkpoint.path, {"key": checkpoint.key}, {})
    assert Checkpoint("train", "full", {"seed": 1}).load(training=None) is None


@pytest.fixture
def build():
    """Return a run of a CNN as stages build it: channels last, and a fused optimizer."""

    def make(channels, optimizer, **options):
        rng = np.random.default_rng(0)
        images = Images(rng.integers(0, 255, (32, channels, 8, 8), dtype=np.uint8), rng.integers(0, 4, 32), 4, 100.0, 60.0)
        torch.manual_seed(0)
        model = placed(cnn(channels, 8, 4), torch.device("cpu"))
        learner = Learner(
            model, build_optimizer(model, optimizer, 0.01, fused=True, **options), Schedule("constant", 0.0, 2.0, 2)
        )
        return Training(learner, images, Selector(), Ledger(32, LogitMemory(torch.zeros(32, 4), 4)), Plan(2, 8, 16, 16, seed=0))

    return make


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("optimizer", "options"), [("sgd", {"momentum": 0.9}), ("adamw", {})])
def test_a_run_goes_on_the_same_where_channels_are_last(build, tmp_path, channels, optimizer, options):
    run, again = (build(channels, optimizer, **options) for _ in range(2))
    list(islice(run.until(), 3))
    artifacts.write_state(tmp_path / "state", *pack(run, []))
    unpack(again, artifacts.read_state(tmp_path / "state"))
    weights = []
    for training in (run, again):
        torch.manual_seed(1)  # dropout's
        list(training.until())
        weights.append(training.learner.model.state_dict())
    assert {w.stride(1) for w in weights[0].values() if w.dim() == 4} == {1}
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
