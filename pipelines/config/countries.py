"""Countries whose energy mix CodeCarbon knows; for others it silently uses the world's mean."""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: CodeCarbon's file of the energy mix by country, relative to its package folder.
MIX = "data/private_infra/global_energy_mix.json"


@cache
def countries() -> dict[str, str]:
    """Return country names by ISO 3166 alpha-3 code, without importing the slow codecarbon package."""
    spec = find_spec("codecarbon")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    mix = json.loads((Path(spec.submodule_search_locations[0]) / MIX).read_text(encoding="utf-8"))
    return {code: facts["country_name"] for code, facts in mix.items()}


def nearest(code: str) -> str | None:
    """Return the nearest known code: of a country named like ``code``, or spelt like it."""
    known = countries()
    by_name = [found for found, name in known.items() if name.upper().startswith(code.upper())]
    near = by_name or get_close_matches(code.upper(), known, 1, 0.5)
    return near[0] if near else None
