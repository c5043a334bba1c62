"""Loader of params.yaml: reads it, checks it, and returns it as typed Params."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from pipelines.config import yaml_file
from pipelines.config.cross_checks import check_names
from pipelines.config.params import Params
from pipelines.core.artifacts import HERE, PARAMS
from pipelines.core.errors import UserError, short

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: Levels to which the keys of a second file are merged, 1 by default: tasks key by key, ``compare`` is replaced.
DEPTHS = {"tasks": 3, "compare": 0}


def load(path: Path = PARAMS, over: Path | None = None, root: Path = HERE) -> Params:
    """Return ``path`` as Params; the keys of ``over`` replace its own, merged to ``DEPTHS``.

    Messages call a file as it is called in the folder ``root``.

    Raises:
        UserError: naming the key, what is wrong with its value, and the nearest that works.
    """
    content = yaml_file.read(path, root)
    if over is not None and isinstance(content, dict) and isinstance(given := yaml_file.read(over, root), dict):
        path = over
        for key, value in given.items():
            content[key] = laid_over(content.get(key), value, DEPTHS.get(key, 1))
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise UserError(explained(path, error.errors())) from None
    check_names(path, params)
    return params


def load_received(path: Path = PARAMS, root: Path = HERE) -> Params:
    """Return ``path`` in the folder ``root``, whose text was received over a network, as Params.

    DVC puts names from this file into commands, so it must read the same values as the checks here.

    Raises:
        UserError: as ``load`` does; for aliases, a few lines of which can expand without end.
    """
    text = yaml_file.text_of(path, root)
    try:
        aliased = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    if aliased:
        raise UserError(f"{path}: has an alias (*name); write the value itself in its place")
    return load(path, root=root)


def laid_over(own: object, given: object, depth: int) -> object:
    """Return ``own`` merged with ``given``, whose values win, to ``depth`` levels."""
    if not (depth and isinstance(own, dict) and isinstance(given, dict)):
        return given
    return {**own, **{key: laid_over(own.get(key), value, depth - 1) for key, value in given.items()}}


def dumped(value: Mapping[str, object]) -> str:
    """Return ``value`` as YAML for params.yaml, one line per name."""
    return yaml.safe_dump(dict(value), default_flow_style=None, sort_keys=False, width=1000)


def explained(path: Path | str, errors: Iterable[ErrorDetails]) -> str:
    """Return one line per invalid key, starting with ``path``; alternatives of a union share one."""
    lines: dict[str, str] = {}
    for error in errors:
        key = _key_of(error["loc"])
        text = _text(error)
        if key in lines:
            lines[key] += "" if lines[key].endswith(text) else f"; or: {text}"
        else:
            lines[key] = f"{path}: {key}{text}"
    return "\n".join(lines.values())


def _key_of(loc: tuple[str | int, ...]) -> str:
    """Return the dotted key of an error, without pydantic's own parts: tags of unions, and types."""
    kinds = {i for i in range(1, len(loc) - 1) if loc[i - 1] in ("source", "model")}
    kinds |= {i for i in range(2, len(loc)) if str(loc[i]).startswith(("dict[", "list[")) or loc[i] in ("int", "float")}
    return "".join(f"{short(str(part))}." for i, part in enumerate(loc) if i not in kinds).removesuffix(".") + ": " * bool(loc)


def _text(error: ErrorDetails) -> str:
    text, value = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be"), error.get("input")
    if value is None and error["type"] != "value_error":
        return "has no value; write one, or leave the key out"
    shown = "" if error["type"] in ("value_error", "missing") or isinstance(value, dict) else f", got {short(repr(value))}"
    return f"{text}{shown}{_nearest(error)}"


def _nearest(error: ErrorDetails) -> str:
    bounds, kind = error.get("ctx", {}), error["type"]
    # A float has no nearest value above an exclusive bound.
    whole = isinstance(bounds.get("gt"), int)
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"; the nearest that works is {bounds.get('ge', bounds.get('le'))}"
    if kind == "greater_than" and whole:
        return f"; the nearest that works is {math.floor(bounds['gt']) + 1}"
    return ""
