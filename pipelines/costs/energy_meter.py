"""Energy meter of this process by CodeCarbon, offline; labels figures measured or estimated."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipelines.core.environment import IN_RANKS
from pipelines.costs.records import EnergySpent, Label, Machine

#: Modes or classes with which CodeCarbon reads a counter of the CPU; all others estimate from its load and design power.
COUNTERS = ("intel_rapl", "intel_power_gadget", "windows_emi", "AppleSiliconChip", "Raspberry")
#: Linux's folder of the CPU's energy counters.
POWERCAP = "/sys/class/powercap"
#: Linux's description of the processor.
CPUINFO = Path("/proc/cpuinfo")


class EnergyMeter:
    """Sums the energy of the windows between ``start`` and ``stop``.

    Attributes:
        kwh: sum by part: ``cpu``, ``gpu``, ``memory``.
        apart_kwh: sum of the blocks of ``apart``, which are not in ``kwh``.
    """

    def __init__(self, country: str, kwh: dict[str, float] | None = None) -> None:
        """Start at ``kwh`` by part; emissions are those of the grid of ``country`` (ISO 3166 alpha-3)."""
        from codecarbon import OfflineEmissionsTracker

        # CodeCarbon logs before it applies its own log level.
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)

        self.kwh = dict(kwh or {"cpu": 0.0, "gpu": 0.0, "memory": 0.0})
        self.apart_kwh = 0.0
        self.country = country
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            tracking_mode="process",
            measure_power_secs=1,
            output_methods=[],
            log_level="critical",
            allow_multiple_runs=True,
            **_own_gpu(),
        )
        self._windows = 0
        self._intensity = 0.0
        self._busy: list[float] = []
        # CodeCarbon takes differences of the process's CPU time, so it needs a first reading.
        with _processor_named_by_kernel():
            self._tracker.start_task("first")
        self._last = self._tracker.stop_task("first")

    def start(self) -> None:
        """Open a window."""
        self._windows += 1
        self._tracker.start_task(str(self._windows))

    def stop(self) -> None:
        """Close the window and add its energy."""
        self._last = self._tracker.stop_task(str(self._windows))
        for part, spent in (("cpu", "cpu_energy"), ("gpu", "gpu_energy"), ("memory", "ram_energy")):
            self.kwh[part] += getattr(self._last, spent)
        self._busy.append(psutil.getloadavg()[0])
        if self._last.energy_consumed:
            self._intensity = self._last.emissions / self._last.energy_consumed

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Meter the block apart from the open window, which goes on after it."""
        self.stop()
        before = dict(self.kwh)
        self.start()
        yield
        self.stop()
        self.apart_kwh += sum(self.kwh.values()) - sum(before.values())
        self.kwh = before
        self.start()

    def record(self) -> EnergySpent:
        """Return the energy with its label (the CPU's), method and coefficients."""
        modes = {type(h).__name__: str(getattr(h, "_mode", "")) for h in self._tracker._hardware}  # noqa: SLF001
        cpu = modes.get("CPU") or next((name for name in modes if name in COUNTERS), "")
        total = sum(self.kwh.values())
        read = {"cpu": cpu in COUNTERS, "gpu": "GPU" in modes, "memory": False}
        labels: dict[str, Label] = {part: "measured" if counted else "estimated" for part, counted in read.items()}
        return EnergySpent(
            label=labels["cpu"],
            labels=labels,
            reason=reason(cpu),
            kwh=total,
            kwh_by_part=self.kwh,
            co2e_kg=total * self._intensity,
            method=f"CodeCarbon {self._last.codecarbon_version}, process mode, CPU by {cpu or 'nothing'}",
            intensity_kg_per_kwh=self._intensity,
            country=self.country,
            cpu_watts_last=self._last.cpu_power,
            cpu_design_watts=next((h._tdp for h in self._tracker._hardware if hasattr(h, "_tdp")), None),  # noqa: SLF001
            memory_watts=self._last.ram_power,
            load=sum(self._busy) / len(self._busy) if self._busy else None,
            cpu_model=self._last.cpu_model,
            gpu_model=self._last.gpu_model,
        )


@contextmanager
def _processor_named_by_kernel() -> Iterator[None]:
    """Answer CodeCarbon's question for the processor's name as Linux does, where it names it.

    py-cpuinfo takes the same name from the same file, but then times the processor for a second, in every process.
    """
    import cpuinfo

    name = _processor_name()
    asks = cpuinfo.get_cpu_info
    if name:
        cpuinfo.get_cpu_info = lambda: {"brand_raw": name}
    try:
        yield
    finally:
        cpuinfo.get_cpu_info = asks


def _processor_name(path: Path = CPUINFO) -> str:
    """Return the processor's name; "" where the kernel names none, such as on ARM."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _own_gpu() -> dict[str, list[str]]:
    """Return CodeCarbon's option for metering a rank's own GPU; outside ranks it meters all visible ones."""
    if not IN_RANKS.is_set:
        return {}
    visible, own = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["LOCAL_RANK"]
    return {"gpu_ids": [visible.split(",")[int(own)] if visible else own]}


def reason(cpu: str) -> str:
    """Return the reason for the label of the CPU's energy, which CodeCarbon reads by ``cpu``."""
    if cpu in COUNTERS:
        return f"read from the counters of {cpu}, which include all other processes on the processor"
    if platform.system() == "Linux":
        return f"no RAPL counters readable at {POWERCAP}"
    return f"no counters that CodeCarbon reads on {platform.system()}"


def machine() -> Machine:
    """Return the hardware and software that timings depend on."""
    import torch

    return Machine(
        platform=platform.platform(),
        processor=platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        python=platform.python_version(),
        torch=torch.__version__,
    )
