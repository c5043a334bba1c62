"""Who is at chance is marked, and named once."""

import pytest

from pipelines.costs.at_chance import at_chance, chance_note


@pytest.mark.parametrize(("above", "marked"), [(None, False), (0.01, False), (0.0, True), (-0.2, True)])
def test_who_is_not_surely_above_chance_is_at_it(above, marked):
    assert at_chance(above) is marked


def test_those_at_chance_are_named_once():
    rows = [("full", 0.2), ("short", -0.1), ("uniform", None), ("short", 0.0), ("clean", 0.0)]
    (note,) = chance_note(rows)
    assert note.startswith("At chance: short, clean: not surely better")
    assert chance_note(rows[:1]) == []
