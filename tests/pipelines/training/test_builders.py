"""A run's device, determinism and parts are as asked, or refused by name."""

from types import SimpleNamespace

import pytest
import torch

from pipelines.config.schema.training import Optimizer, Schedule, Training
from pipelines.core.errors import UserError
from pipelines.training import builders
from pipelines.training.builders import look_batch, prepare_torch, refuse_unrepeatable, synchronised


def settings(**changes):
    """Return settings of a training in one thread, ``changes`` among them."""
    optimizer, schedule = Optimizer(name="sgd", learning_rate=0.1), Schedule(name="constant", ramp=0.0, hold=0.0)
    return Training(epochs=1, batch_size=2, optimizer=optimizer, schedule=schedule, threads=1, **changes)


def test_kernels_repeat_on_a_cpu_and_no_memory_is_filled_for_it(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepare_torch(settings(), seed=5)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    first = torch.rand(3)
    prepare_torch(settings(), seed=5)
    assert torch.equal(torch.rand(3), first)


def test_a_run_may_do_without_kernels_that_repeat(torch_as_it_was):
    prepare_torch(settings(deterministic=False), seed=5)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_kernel_that_cannot_repeat_is_refused_by_the_key_that_allows_it(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepare_torch(settings(), seed=5)
    with pytest.raises(RuntimeError, match="deterministic") as caught:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    with pytest.raises(UserError, match=r"tasks\.digits\.training\.deterministic: must be false on cpu .* whose put_ has no"):
        refuse_unrepeatable(caught.value, "digits")
    refuse_unrepeatable(RuntimeError("out of memory"), "digits")


@pytest.mark.parametrize(
    ("name", "gpus", "said"),
    [
        ("gpu", 0, "must be cpu, cuda or cuda:1, got 'gpu'; the nearest that works is cpu"),
        ("gpu", 2, "must be cpu, cuda or cuda:1, got 'gpu'; the nearest that works is cuda"),
        ("cuda", 0, "must be an existing device, got 'cuda' with 0 GPUs; the nearest that works is cpu"),
        ("cuda:3", 2, "must be an existing device, got 'cuda:3' with 2 GPUs; the nearest that works is cuda:1"),
    ],
)
def test_a_device_that_there_is_not(name, gpus, said, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(UserError, match=f"WINNOW_DEVICE: {said}"):
        builders.device()


def test_a_look_takes_two_batches_on_a_cpu_sixteen_on_a_gpu_or_what_is_asked_for():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert (look_batch(settings(), cpu), look_batch(settings(), gpu)) == (2 * 2, 16 * 2)
    assert look_batch(settings(look_batch=7), gpu) == 7


def test_batch_norms_of_several_ranks_are_refused_on_a_cpu():
    plain, normed = torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    assert synchronised(plain, SimpleNamespace(count=2), "digits") is plain
    assert synchronised(normed, SimpleNamespace(count=1), "digits") is normed
    with pytest.raises(UserError, match=r"tasks\.digits\.training\.devices: must be 1 on a CPU .*\(its layer '1'\).*, got 2"):
        synchronised(normed, SimpleNamespace(count=2), "digits")


@pytest.mark.parametrize("size", [1, 2, 9])
def test_parts_of_a_batch_are_refused_for_a_batch_norm_that_moves(size):
    from tests.pipelines.records import manifest

    def begun(model):
        return builders.learner(settings(micro_batch=size), manifest(task="digits"), model, 1.0)

    normed = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(UserError, match=rf"digits\.training\.micro_batch: must be left out .* layer '1'\), .* got {size}"):
        begun(normed)
    assert normed.training
    normed[1].train = lambda mode=True: normed[1]
    normed[1].training = False
    assert begun(normed).micro_batch == size
    assert begun(torch.nn.Linear(2, 2).eval()).model.training is False
