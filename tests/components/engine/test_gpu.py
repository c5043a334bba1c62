"""What only a GPU can show; ``WINNOW_DEVICE=cuda`` has the other tests of a run train on one too."""

import numpy as np
import pytest
import torch

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.epoch_records import Step
from components.evidence.evidence import NonFiniteLossError
from components.evidence.ledger import Ledger, LogitMemory
from components.models.small import cnn
from components.selection.keep.adaselection import AdaSelection
from components.tasks.batch import Batch
from components.tasks.language import Blocks
from pipelines.config.schema.training import Training
from pipelines.training.builders import prepare_torch

# Streams, pinned memory, waits and kernels that repeat have no stand-in on a CPU;
# docs/how-to/gpu.md says when these were last run.
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA sees no GPU, which alone can show this")
GPU = torch.device("cuda")


@pytest.fixture
def no_waiting():
    """Let whatever makes the host wait for the GPU raise, but for what waits for one number alone."""
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_waits_for_nothing_but_its_loss(make_training, no_waiting, precision):
    training = make_training(device=GPU, precision=precision)
    training.learner.clip_norm = 1.0
    moments = training.until()
    next(moments)
    no_waiting()
    steps = [next(moments) for _ in range(4)]
    assert all(isinstance(step, Step) for step in steps)


@pytest.mark.parametrize("kind", ["cnn", "bert"])
def test_two_runs_leave_the_same_bytes(make_training, make_images, make_texts, make_bert, monkeypatch, kind):
    monkeypatch.setenv("WINNOW_DEVICE", "cuda")
    prepare_torch(Training.model_construct(threads=1, deterministic=True), 0)
    try:
        left = []
        for _ in range(2):
            examples = make_images(400, size=16) if kind == "cnn" else make_texts(400)
            model = cnn(1, 16, 4) if kind == "cnn" else make_bert()
            torch.manual_seed(0)
            training = make_training(AdaSelection(0.5), examples, model, device=GPU, batch_size=64)
            list(training.until())
            left.append({k: v.cpu().numpy().tobytes() for k, v in training.learner.model.state_dict().items()})
    finally:
        torch.set_deterministic_debug_mode("default")
    assert left[0] == left[1]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("look", ["fresh", "stale(3)", "whole-batch"])
def test_lower_precision_learns(make_training, precision, look):
    training = make_training(AdaSelection(0.5, look=look), device=GPU, precision=precision, epochs=6, dropout=0.0)
    list(training.until())
    ledger = training.ledger
    assert np.isfinite(ledger.column("loss")).all()
    assert {p.dtype for p in training.learner.parameters} == {torch.float32}
    assert ledger.column("looked").sum() + ledger.column("trained").sum() > 0
    assert ledger.column("correct").mean() > 0.5


def test_a_loss_that_is_no_number_is_refused_before_the_weights_move(make_mlp, make_rows):
    model = make_mlp().to(GPU)
    learner = Learner(model, build_optimizer(model, "adamw", 0.1, fused=True), lambda epoch: 1.0)
    before = [p.detach().clone() for p in learner.parameters]
    rows, inputs = make_rows([4, 7, 9]), torch.rand(3, 16, device=GPU)
    inputs[1] = torch.nan
    with pytest.raises(NonFiniteLossError, match="example 7"):
        learner.step(Batch(rows, {"input": inputs}, torch.zeros(3, dtype=torch.int64, device=GPU), rows.weight.to(GPU)), 0)
    assert all(torch.equal(p, b) for p, b in zip(learner.parameters, before, strict=True))


def test_a_batch_arrives_whole(make_rows, make_images, make_texts, make_pairs):
    for examples in (make_images(), make_texts(), make_pairs(), Blocks(np.arange(60, dtype=np.int32).reshape(10, 6))):
        rows = make_rows([3, 1, 8])
        here, there = examples.fetch(rows, torch.device("cpu")), examples.fetch(rows, GPU)
        assert here.inputs.keys() == there.inputs.keys()
        pairs = [*zip(here.inputs.values(), there.inputs.values(), strict=True), (here.target, there.target)]
        for mine, theirs in [*pairs, (here.weight, there.weight)]:
            assert theirs.device.type == "cuda"
            torch.testing.assert_close(theirs.cpu(), mine)
        assert (here.target is next(iter(here.inputs.values()))) == (there.target is next(iter(there.inputs.values())))


def test_projected_logits_move_as_far_on_either_device(make_evidence):
    rng = np.random.default_rng(0)
    columns = {}
    for device in ("cpu", "cuda"):
        rng = np.random.default_rng(0)
        ledger = Ledger(6, LogitMemory(torch.zeros(6, 16, device=device), 40))
        for _ in range(3):
            evidence = make_evidence(rng.permutation(6), rng.standard_normal((6, 40)), rng.integers(0, 40, 6))
            moved = {n: getattr(evidence, n).to(device) for n in ("target", "loss", "output")}
            ledger.write(type(evidence)(evidence.index, looked=False, **moved))
        columns[device] = {n: ledger.column(n) for n in ledger.columns}
    for name, column in columns["cpu"].items():
        np.testing.assert_allclose(columns["cuda"][name], column, rtol=1e-4, atol=1e-6)
