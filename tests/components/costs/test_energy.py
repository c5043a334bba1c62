"""Energy and emission of the paper's model, by hand."""

import pytest

from components.costs.energy import modelled_co2e_kg, modelled_kwh


def test_the_papers_energy_by_hand():
    assert modelled_kwh(2, cpu_watts=65, memory_watts=8, gpu_watts=250, gpus=2) == pytest.approx(1.58 * 2 * 573 / 1000)
    assert modelled_kwh(0.5, cpu_watts=65, memory_watts=8, gpu_watts=250, gpus=0) == pytest.approx(0.05767)


def test_the_papers_emission_is_in_kilograms():
    assert modelled_co2e_kg(10) == pytest.approx(9.54 * 0.45359237)
