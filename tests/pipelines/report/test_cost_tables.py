"""Tables of times and energy show the numbers of their rows."""

from pipelines.report import cost_tables
from pipelines.report import page as report_page


def run(**changes):
    shares = {"alpha_b": 0.433, "alpha_fb": 0.1, "paper_cpu_seconds": 1.5, "cpu_seconds": 2.5, "time_paper": 0.5}
    shares |= {"time_counted": 0.6, "time_measured": 0.75, "agot_paper": 1.01, "agot": 1.0, "speed_reached": 4 / 3}
    shares |= {"speed_ceiling": 5 / 3, "speed_share": 0.8, "speed_formula": None, "energy_label": "estimated"}
    shares |= {
        "energy_measured_kwh": 1.5e-6,
        "energy_estimated_kwh": 0.0,
        "energy_modelled_kwh": 2.5e-4,
        "co2e_kg": 3.5e-7,
        "co2e_modelled_kg": None,
    }
    return shares | changes


def test_the_table_of_times_states_each_ceiling_and_the_share_reached():
    section = cost_tables.times([run(), run(speed_share_deviation=0.02)], ["method"], [["a"], ["b"]], 0.5)
    told = dict(zip(section.table.heads, section.table.rows[0], strict=True))
    assert told == {
        "method": "a", "alpha_b %": "43.3", "alpha_fb %": "10.0", "T paper, s": "1.50", "T measured, s": "2.50",
        "T_norm paper": "0.500", "T_norm counted": "0.600", "T_norm measured": "0.750", "AGOT paper": "1.010",
        "AGOT measured": "1.000", "speed-up": "1.33", "its ceiling": "1.67", "share of it, %": "80",
        "by formula": report_page.NOTHING,
    }  # fmt: skip
    assert section.table.rows[1][-2] == "80 ± 2"
    assert "epsilon 0.5." in section.text[0]


def test_the_table_of_energy_says_its_units_and_how_it_was_come_by():
    table = cost_tables.energy([run()], ["method"], [["a"]]).table
    assert table.heads == ["method", "measured, Wh", "estimated, Wh", "modelled, Wh", "g CO2e", "modelled, g CO2e"]
    assert table.rows == [["a", "0.00150", report_page.NOTHING, "0.250", "0.000350", report_page.NOTHING]]
