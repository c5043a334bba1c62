"""Energy and emission by the model of Multistage Data Filtering (arXiv 2207.14386, eq. 6)."""

from __future__ import annotations

#: Power usage effectiveness of an average data centre in 2018 (Strubell et al. 2019, arXiv 1906.02243).
PUE = 1.58
#: Pounds of CO2e per kWh, average of the United States (EPA, as cited by Strubell et al. 2019).
POUNDS_CO2E_PER_KWH = 0.954
KILOGRAMS_PER_POUND = 0.45359237


def modelled_kwh(hours: float, cpu_watts: float, memory_watts: float, gpu_watts: float, gpus: int) -> float:
    """Return the modelled energy in kWh: ``1.58 t (p_c + p_r + g p_g) / 1000`` (arXiv 2207.14386, eq. 6)."""
    return PUE * hours * (cpu_watts + memory_watts + gpus * gpu_watts) / 1000


def modelled_co2e_kg(kwh: float) -> float:
    """Return the modelled emission of ``kwh`` in kilograms of CO2e: ``0.954`` pounds per kWh (arXiv 2207.14386)."""
    return POUNDS_CO2E_PER_KWH * KILOGRAMS_PER_POUND * kwh
