"""Search space: a study's ``fractions`` and ``vary`` as named combinations."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterable
from itertools import product

from pydantic import JsonValue

from components.selection import METHODS
from pipelines.config import methods
from pipelines.config.params import Params
from pipelines.config.schema.sections import Study
from pipelines.core.artifacts import digest
from pipelines.core.errors import UserError, unknown

#: Names and values of arguments.
Settings = tuple[tuple[str, JsonValue], ...]
#: The most trials of methods for each seed; controls may add twice as many.
MOST_CELLS = 1000
#: The most characters in the name of a method's trial, and in any name; a control's name contains its trial's.
LONGEST, MOST = 52, 63
VARY = "params.yaml: study.vary"


def check(params: Params) -> None:
    """Check that ``vary`` names methods of the study, and that there are not too many trials.

    Raises:
        UserError: for the first violation.
    """
    study = params.study
    assert study is not None
    for method in study.vary:
        if method not in study.methods:
            raise UserError(unknown(f"{VARY}.{method}", "method in 'study.methods'", method, study.methods))
        if isinstance(params.methods[method], list):
            raise UserError(f"{VARY}.{method}: is a stack, which has no arguments; vary arguments of a single method's block")
    many = {method: _count(params, study, method) for method in study.methods}
    if (total := sum(many.values())) > MOST_CELLS:
        most = max(many, key=many.__getitem__)
        raise UserError(
            f"params.yaml: study: may have {MOST_CELLS:,} trials of methods per seed, got {total:,}, of which {most} has "
            f"{many[most]:,}; the nearest that works is a shorter list under study.vary.{most} or in study.fractions"
        )


def _count(params: Params, study: Study, method: str) -> int:
    varied = study.vary.get(method, {})
    fractions = len(study.fractions) if "fraction" not in varied and _takes_fraction(params, method) else 1
    return fractions * math.prod(len(values) for values in varied.values())


def _takes_fraction(params: Params, method: str) -> bool:
    block = params.methods[method]
    kind = None if isinstance(block, list) else block.get("method", method)
    return kind in METHODS and "fraction" in inspect.signature(METHODS[str(kind)]).parameters


def combinations(
    params: Params, method: str, kind: str, arguments: dict[str, JsonValue]
) -> list[tuple[float | None, Settings]]:
    """Return the fractions and settings of a method's trials, the first varied argument slowest.

    Args:
        params: with a study.
        method: the block.
        kind: its class.
        arguments: of the block; varied values replace them.

    Raises:
        UserError: for an argument or value that the class does not accept, or if it needs a fraction and there is none.
    """
    study = params.study
    assert study is not None
    varied = dict(study.vary.get(method, {}))
    fractions: list[float | None] = [None]
    if "fraction" in inspect.signature(METHODS[kind]).parameters:
        fractions = varied.pop("fraction", [*study.fractions])
        if not fractions:
            raise UserError(
                f"params.yaml: study.fractions: must name one or more, since '{method}' takes a fraction, got none; the least "
                "that can be run is [0.3]"
            )
    found = [(f, s) for s in map(tuple, _settings(varied)) for f in fractions]
    for fraction, settings in found if method in study.vary else []:
        kept = {} if fraction is None else {"fraction": fraction}
        methods.check(kind, arguments | dict(settings) | kept, f"{VARY}.{method}")
    return found


def _settings(varied: dict[str, list[JsonValue]]) -> Iterable[Iterable[tuple[str, JsonValue]]]:
    return (zip(varied, values, strict=True) for values in product(*varied.values()))


def name_of(method: str, settings: Settings, fraction: float | None = None) -> str:
    """Return the name of a trial, ``<method>-<argument>-<value>-<fraction>``.

    Without a fraction it is the name of the trial's column. Characters that a name may not have become dashes; a name that is
    too long is cut, with a digest of the whole at its end.
    """
    parts = [part for key, value in settings for part in (key, value)]
    whole = "-".join([method, *map(_spelled, parts), *([] if fraction is None else [repr(fraction)])])
    return (
        whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 9].rstrip('-._')}-{digest([method, settings, fraction])[:8]}"
    )


def control_name(first: str, settings: Settings) -> str:
    """Return the name of a control, ``<first>-rate-2.0-batch-drawn``, cut like a trial's."""
    whole = "-".join([first, *(part for key, value in settings for part in (key.removeprefix("learning_"), _spelled(value)))])
    return whole if len(whole) <= MOST else f"{whole[: MOST - 9].rstrip('-._')}-{digest(whole)[:8]}"


def _spelled(value: object) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", str(value).lower()).rstrip("-")


def settings_text(settings: Settings) -> str:
    """Return settings as readable text."""
    return ", ".join(f"{key} {value}" for key, value in settings)


def settings_in(text: str) -> Settings:
    """Return the settings from their JSON in a row, which is "" if there are none."""
    return tuple(json.loads(text).items()) if text else ()
