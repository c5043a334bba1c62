"""Marks of models at chance in tables of comparisons and studies."""

from __future__ import annotations

from collections.abc import Iterable

#: Mark of a model that is not surely better than a constant prediction.
AT_CHANCE = "at chance"


def at_chance(above: float | None) -> bool:
    """Return whether ``above``, a lower bound of the margin over chance, is known and at most 0."""
    return above is not None and above <= 0


def chance_note(rows: Iterable[tuple[str, float | None]]) -> list[str]:
    """Return a line that names the methods at chance, if any; rows are method and margin."""
    names = list(dict.fromkeys(method for method, above in rows if at_chance(above)))
    meaning = "not surely better than a constant prediction, so that a lower cost is no saving"
    return [f"At chance: {', '.join(names)}: {meaning}."] if names else []
