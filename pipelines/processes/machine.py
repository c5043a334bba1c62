"""Cores, memory and GPUs of this machine, found without importing torch, which takes a second."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.core.environment import DEVICE

#: Devices of the drivers of NVIDIA's and AMD's GPUs, and of those that WSL has.
GPU_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_gib() -> float:
    """Return the memory in GiB that new processes can have without swapping."""
    import psutil

    return float(psutil.virtual_memory().available / 2**30)


def may_train_on_gpu() -> bool:
    """Return whether ``WINNOW_DEVICE`` is a GPU or, where it is unset, whether a GPU's driver is there."""
    return not DEVICE.value().startswith("cpu") if DEVICE.is_set else any(driver.exists() for driver in GPU_DRIVERS)
