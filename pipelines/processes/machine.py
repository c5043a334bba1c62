"""Cores, memory and GPUs of this machine, found without importing torch, which takes a second."""

from __future__ import annotations

import os
from pathlib import Path

#: Devices of the drivers of NVIDIA's and AMD's GPUs, and of those that WSL has.
GPU_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_gib() -> float:
    """Return the memory in GiB that new processes can have without swapping."""
    import psutil

    return float(psutil.virtual_memory().available / 2**30)


def may_have_gpu() -> bool:
    """Return whether there is a GPU's driver, whether or not torch can use the GPU."""
    return any(driver.exists() for driver in GPU_DRIVERS)
