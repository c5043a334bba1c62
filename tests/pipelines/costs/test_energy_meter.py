"""Energy is called measured where counters of the hardware were read, and estimated, with the reason, where none were.

The counters are recorded: their files lie as a machine with one Intel package has them, and NVML answers as one H100 does.
"""

import types

import cpuinfo
import pytest
from codecarbon.core import cpu, gpu, gpu_nvidia, hardware_cache, util
from codecarbon.external import hardware

from pipelines.costs import energy_meter
from pipelines.costs.energy_meter import CPUINFO, POWERCAP, EnergyMeter

KWH = 3.6e6  # joules
PACKAGE, CORE = "intel-rapl:0", "intel-rapl:0:0"


@pytest.fixture(autouse=True)
def fresh():
    """Let CodeCarbon look for the hardware anew, before and after."""
    forget()
    yield
    forget()


def forget():
    hardware_cache.clear_cache()
    util.detect_cpu_model.cache_clear()


@pytest.fixture
def no_counters(monkeypatch):
    monkeypatch.setattr(cpu, "_get_candidate_bases", lambda rapl_dir: [])
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)


@pytest.fixture
def powercap(tmp_path, monkeypatch):
    """Return what sets the package's counter, in joules; its core's, which is a part of it, goes along."""
    for name, told in ((PACKAGE, "package-0"), (CORE, "core")):
        folder = tmp_path / "intel-rapl" / name
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{told}\n")
        (folder / "max_energy_range_uj").write_text("262143328850\n")

    def count(joules):
        for name in (PACKAGE, CORE):
            (tmp_path / "intel-rapl" / name / "energy_uj").write_text(f"{round(joules * 1e6)}\n")

    count(1000)
    monkeypatch.setattr(cpu, "_get_candidate_bases", lambda rapl_dir: [str(tmp_path)])
    there = cpu.IntelRAPL
    monkeypatch.setattr(hardware, "IntelRAPL", lambda rapl_dir, **more: there(rapl_dir=str(tmp_path / "intel-rapl"), **more))
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: False)
    return count


@pytest.fixture
def nvml(monkeypatch, no_counters):
    """Return what sets the counter of the one GPU, in joules."""
    joules = [500.0]
    error = type("NVMLError", (Exception,), {})
    answers = {
        "nvmlInit": lambda: None, "nvmlDeviceGetCount": lambda: 1, "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: "NVIDIA H100 80GB HBM3", "nvmlDeviceGetUUID": lambda handle: "GPU-0",
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: round(joules[0] * 1000), "NVML_TEMPERATURE_GPU": 0,
        "nvmlDeviceGetMemoryInfo": lambda handle: types.SimpleNamespace(free=1, total=2, used=1),
        "nvmlDeviceGetTemperature": lambda handle, kind: 40, "nvmlDeviceGetPowerUsage": lambda handle: 70000,
        "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700000, "nvmlDeviceGetComputeMode": lambda handle: 0,
        "nvmlDeviceGetUtilizationRates": lambda handle: types.SimpleNamespace(gpu=0),
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [], "nvmlDeviceGetGraphicsRunningProcesses": lambda handle: [],
    }  # fmt: skip
    fake = types.SimpleNamespace(NVMLError=error, NVMLError_NotSupported=error, **answers)
    monkeypatch.setattr(gpu_nvidia, "pynvml", fake)
    monkeypatch.setattr(gpu, "PYNVML_AVAILABLE", True)
    monkeypatch.setattr(gpu, "AMDSMI_AVAILABLE", False)
    monkeypatch.setattr(gpu, "is_gpu_details_available", lambda: True)
    monkeypatch.setattr(gpu, "is_nvidia_system", lambda: True)
    return lambda now: joules.__setitem__(0, now)


def metered(count, *readings):
    """Meter a window for each of the ``readings`` to which the counter goes meanwhile."""
    meter = EnergyMeter("DEU")
    for reading in readings:
        meter.start()
        count(reading)
        meter.stop()
    return meter.record()


def test_what_rapl_counts_is_measured(powercap):
    record = metered(powercap, 1090, 1150)
    assert record.label == record.labels["cpu"] == "measured"
    assert record.load >= 0
    assert record.kwh_by_part["cpu"] == pytest.approx(150 / KWH, rel=1e-3)
    assert "intel_rapl" in record.method
    assert record.reason.startswith("read from the counters of intel_rapl, ")
    assert record.by_label("measured") == pytest.approx(150 / KWH, rel=1e-3)
    assert record.by_label("estimated") == record.kwh_by_part["memory"] > 0
    assert record.by_label("measured") + record.by_label("estimated") == pytest.approx(record.kwh)
    assert record.co2e_kg == pytest.approx(record.kwh * record.intensity_kg_per_kwh)


def test_a_counter_that_starts_again_at_0_goes_on(powercap):
    range_ = 262143.328850
    powercap(range_ - 10)
    assert metered(powercap, 20).kwh_by_part["cpu"] == pytest.approx(30 / KWH, rel=1e-3)


def test_what_nvml_counts_is_measured_beside_a_processor_that_is_not(nvml):
    record = metered(nvml, 860)
    assert record.labels == {"cpu": "estimated", "gpu": "measured", "memory": "estimated"}
    assert record.label == "estimated"
    assert record.kwh_by_part["gpu"] == pytest.approx(360 / KWH, rel=1e-3)
    assert record.by_label("measured") == record.kwh_by_part["gpu"]
    assert "H100" in record.gpu_model


def test_without_counters_all_is_estimated_and_it_is_said_why(no_counters):
    record = metered(lambda reading: sum(range(100_000)), 0)
    assert set(record.labels.values()) == {"estimated"}
    assert record.reason == f"no RAPL counters readable at {POWERCAP}"
    assert (record.by_label("measured"), record.by_label("estimated")) == (0, pytest.approx(record.kwh))


@pytest.mark.slow
def test_the_processor_has_the_name_that_py_cpuinfo_finds_or_none_where_the_kernel_names_none():
    described = CPUINFO.read_text() if CPUINFO.exists() else ""
    named = cpuinfo.get_cpu_info().get("brand_raw", "") if "model name" in described else ""
    assert energy_meter._processor_name() == named


def test_py_cpuinfo_is_asked_where_the_kernel_names_no_processor(tmp_path, monkeypatch, no_counters):
    path = tmp_path / "cpuinfo"
    assert energy_meter._processor_name(path) == ""
    path.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert energy_meter._processor_name(path) == ""
    path.write_text("processor\t: 0\nmodel name\t: A Processor: 2 GHz\n")
    assert energy_meter._processor_name(path) == "A Processor: 2 GHz"
    monkeypatch.setattr(energy_meter, "_processor_name", lambda: "")
    monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: {"brand_raw": "asked"})
    assert metered(lambda reading: None, 0).cpu_model == "asked"
    monkeypatch.setattr(energy_meter, "_processor_name", lambda: "named")
    forget()
    assert metered(lambda reading: None, 0).cpu_model == "named"
    assert cpuinfo.get_cpu_info() == {"brand_raw": "asked"}


def test_a_block_apart_is_not_in_the_window_around_it(powercap):
    meter = EnergyMeter("DEU")
    meter.start()
    powercap(1090)
    with meter.apart():
        powercap(1150)
    powercap(1190)
    meter.stop()
    assert meter.record().kwh_by_part["cpu"] == pytest.approx((90 + 40) / KWH, rel=1e-3)
    assert meter.apart_kwh == pytest.approx(60 / KWH, rel=1e-2)
