"""Marks of models at chance in tables of comparisons and studies."""

from __future__ import annotations

from collections.abc import Iterable

#: Is said of a model that is not surely better than one that says the same of every example.
AT_CHANCE = "at chance"


def at_chance(above: float | None) -> bool:
    """Return whether a model that is surely so far ``above`` chance is not; False where that is not known."""
    return above is not None and above <= 0


def chance_note(rows: Iterable[tuple[str, float | None]]) -> list[str]:
    """Return the line that names the rows at chance, where there are any; a row is its method and how far above it is."""
    names = list(dict.fromkeys(method for method, above in rows if at_chance(above)))
    said = "not surely better than a model that says the same of every example; what they cost is no saving"
    return [f"At chance: {', '.join(names)}: {said}."] if names else []
