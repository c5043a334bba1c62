"""Tables of comparison and study pages: skipped examples, speed, energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.report.page import NOTHING, Section, Table, with_error

#: A row's values by column.
Columns = Mapping[str, object]
#: Column, heading, digits, and factor of the value.
TIMES = (
    ("alpha_b", "alpha_b %", 1, 100),
    ("alpha_fb", "alpha_fb %", 1, 100),
    ("paper_cpu_seconds", "T paper, s", 2, 1),
    ("cpu_seconds", "T measured, s", 2, 1),
    ("time_paper", "T_norm paper", 3, 1),
    ("time_counted", "T_norm counted", 3, 1),
    ("time_measured", "T_norm measured", 3, 1),
    ("agot_paper", "AGOT paper", 3, 1),
    ("agot", "AGOT measured", 3, 1),
    ("speed_reached", "speed-up", 2, 1),
    ("speed_ceiling", "its ceiling", 2, 1),
    ("speed_share", "share of it, %", 0, 100),
    ("speed_formula", "by formula", 2, 1),
)  # fmt: skip
#: Explanation of the figure's marks.
MARKS = (
    "Stars: the trial of highest AGOT of each method. The bar at the end of a star's dotted line is its ceiling in time: the "
    "time of its forward and backward passes alone, with selection, scoring and predictor free."
)


def times(rows: Sequence[Columns], heads: Sequence[str], names: Sequence[Sequence[str]], epsilon: float) -> Section:
    """Return the table of skipped passes, times and speed-ups.

    Args:
        rows: values by column.
        heads: headings of the columns that name a row.
        names: those columns' texts, row by row.
        epsilon: of AGOT.
    """
    shown = [
        [*name, *(_formatted(r, key, digits, by) for key, _, digits, by in TIMES)] for name, r in zip(names, rows, strict=True)
    ]
    text = [
        "alpha_b (a_b) is the share of all offered examples for which only the backward pass was skipped, alpha_fb (a_fb) the "
        "share for which both passes were. T paper = a_b T_f + (1 - a_b - a_fb)(T_f + T_b) (arXiv 2207.14386), with T_f and "
        "T_b measured in the run of full; T counted adds what the paper leaves out, the second forward pass of an example that "
        "is looked at and then trained; T measured is all CPU seconds of the run, warm-up and selection included. T_norm is "
        f"relative to full. AGOT has epsilon {epsilon:g}.",
        "The speed-up is 1 / T_norm measured. Its ceiling is 1 / T_norm counted, what the method could have reached with its "
        "actual fractions if selection, scoring and predictor were free; the share of it is counted over measured. By formula "
        "is what the settings alone allow: E epochs over the planned cost, with T_b = 2 T_f; for SwiftLearn "
        "E / (W + r (E - W)). A method whose cost depends on the losses has no such formula.",
    ]
    return Section("What was skipped, and the ceilings of the speed-ups", text, Table([*heads, *(t[1] for t in TIMES)], shown))


def _formatted(row: Columns, key: str, digits: int, by: int) -> str:
    value, error = _number(row, key), _number(row, f"{key}_deviation")
    return with_error(value and by * value, error and by * error, digits)


def _number(row: Columns, key: str) -> float | None:
    """Return the number in a column, None if it has none."""
    value = row.get(key)
    return value if isinstance(value, int | float) else None


def energy(rows: Sequence[Columns], heads: Sequence[str], names: Sequence[Sequence[str]], text: Sequence[str] = ()) -> Section:
    """Return the table of energy (Wh) and emissions (g CO2e), measured and modelled."""
    columns = [
        ("energy_measured_kwh", "measured, Wh"),
        ("energy_estimated_kwh", "estimated, Wh"),
        ("energy_modelled_kwh", "modelled, Wh"),
        ("co2e_kg", "g CO2e"),
        ("co2e_modelled_kg", "modelled, g CO2e"),
    ]
    shown = [[*name, *(small(_number(r, k) or None) for k, _ in columns)] for name, r in zip(names, rows, strict=True)]
    meaning = [
        "measured: read from counters of the hardware. estimated: by CodeCarbon, from the load of the run's own processes and "
        "the processor's design power; memory is always estimated. The energy of a run, and its CO2e, are the sum of both. "
        "modelled: 1.58 t (p_c + p_r + g p_g) / 1000 kWh and 0.954 lb CO2e a kWh (arXiv 2207.14386, eq. 6), with the watts of "
        "params.yaml and the run's CPU seconds over its threads for t."
    ]
    return Section("Energy and emissions", [*meaning, *text], Table([*heads, *(head for _, head in columns)], shown))


def small(value: float | None) -> str:
    """Return a thousand times ``value``, to three significant digits."""
    return NOTHING if value is None else f"{1000 * value:#.3g}"
