"""What a run sets for the whole process."""

import torch

from pipelines.building import prepare_torch


def test_kernels_repeat_on_a_cpu_and_no_memory_is_filled_for_it(torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepare_torch({"threads": 1}, seed=5)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    first = torch.rand(3)
    prepare_torch({"threads": 1}, seed=5)
    assert torch.equal(torch.rand(3), first)
