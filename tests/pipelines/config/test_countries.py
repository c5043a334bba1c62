"""Countries are found by code, and the nearest by code or by name."""

import pytest

from pipelines.config.countries import countries, nearest


def test_codes_have_their_names():
    assert {code: countries()[code] for code in ("DEU", "FRA", "USA")} == {
        "DEU": "Germany",
        "FRA": "France",
        "USA": "United States",
    }


@pytest.mark.parametrize(("code", "near"), [("GER", "DEU"), ("ger", "DEU"), ("US", "USA"), ("deu", "DEU"), ("QQX", None)])
def test_the_nearest_is_by_how_a_name_begins_or_how_a_code_is_spelt(code, near):
    assert nearest(code) == near
