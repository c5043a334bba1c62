"""Columns of the cost account, shared by comparisons and studies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from components.costs.comparison import agot

#: Times without a unit in their name are normalised: over those of full.
IN_ACCOUNT = {
    "alpha_b": ("alpha_b",),
    "alpha_fb": ("alpha_fb",),
    "paper_cpu_seconds": ("paper_cpu_seconds",),
    "counted_cpu_seconds": ("counted_cpu_seconds",),
    "cpu_seconds": ("measured_cpu_seconds",),
    "wall_seconds": ("spent", "total", "wall_seconds"),
    "selection_cpu_seconds": ("spent", "selection", "cpu_seconds"),
    "time_paper": ("time_paper",),
    "time_counted": ("time_counted",),
    "time_measured": ("time_measured",),
    "measured_over_counted": ("measured_over_counted",),
    "speed_reached": ("speed_reached",),
    "speed_ceiling": ("speed_ceiling",),
    "speed_share": ("speed_share",),
    "speed_formula": ("speed_formula",),
    "energy_kwh": ("energy", "kwh"),
    "energy_measured_kwh": ("energy", "measured_kwh"),
    "energy_estimated_kwh": ("energy", "estimated_kwh"),
    "energy_label": ("energy", "label"),
    "co2e_kg": ("energy", "co2e_kg"),
    "energy_modelled_kwh": ("energy_modelled", "kwh"),
    "co2e_modelled_kg": ("energy_modelled", "co2e_kg"),
}


#: Is said of a model that is not surely better than one that says the same of every example.
AT_CHANCE = "at chance"


def at_chance(row: dict[str, Any]) -> bool:
    """Return whether the model of a row is not surely above chance; False where that is not known."""
    above = row.get("above_chance")
    return above is not None and above <= 0


def chance_note(rows: Iterable[dict[str, Any]], name: str = "method") -> list[str]:
    """Return the line that names the rows at chance, where there are any."""
    names = list(dict.fromkeys(str(r[name]) for r in rows if at_chance(r)))
    said = "not surely better than a model that says the same of every example; what they cost is no saving"
    return [f"At chance: {', '.join(names)}: {said}."] if names else []


def found(account: dict[str, Any] | None, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - a number or a text
    """Return what stands at ``path`` of an account; None where there is none."""
    value: Any = account
    for part in path:
        value = value[part] if value else None
    return value


def gains(
    score: float | None, base: float | None, full: float | None, times: dict[str, Any], epsilon: float, *, higher: bool
) -> dict[str, float | None]:
    """Return AGOT by the measured time, and by the paper's T; None where something that it is made of is missing.

    Args:
        score: of the run.
        base: before training.
        full: of the run that trained on everything.
        times: holds ``time_measured`` and ``time_paper``.
        epsilon: of AGOT.
        higher: whether more of the score is better.
    """
    told: dict[str, float | None] = {"agot": None, "agot_paper": None}
    for key, time in (("agot", times["time_measured"]), ("agot_paper", times["time_paper"])):
        if score is not None and base is not None and full is not None and time is not None:
            told[key] = agot(score, base, full, time, epsilon, higher=higher)
    return told
