"""Merges a deployment's parameters (task, methods, dotted overrides) into the params.yaml of all stages."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from pipelines.config import yaml_file
from pipelines.config.loader import load_received
from pipelines.config.params import Params
from pipelines.core.artifacts import HERE, PARAMS
from pipelines.core.errors import UserError, unknown

#: Bounds of API input: characters of a params.yaml, characters of overrides as JSON, and their depth.
MOST_TEXT, MOST_JSON, DEEPEST = 65_536, 16_384, 5
Text = Annotated[str, Field(max_length=MOST_TEXT)]
Word = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")]
Words = Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]], Field(max_length=64)]
Keys = Annotated[dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")], Any], Field(max_length=64)]


class _Quoting(yaml.SafeDumper):
    """Quotes every string: YAML 1.1 and DVC's YAML 1.2 take different unquoted strings for numbers."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def resolve(
    params: Params, text: str, task: str, methods: list[str], overrides: Mapping[str, object], root: Path = HERE
) -> tuple[Params, str]:
    """Return the requested params and their YAML text for the stages.

    If anything is overridden, the text is also written to the worktree's params.yaml.

    Args:
        params: from params.yaml, the revision's own or ``text``.
        text: for the stages if nothing is overridden.
        task: replaces the key ``task``; empty keeps it.
        methods: replace ``compare``; each keeps its warm-up from ``compare`` or ``study``, or gets one of 0 epochs.
        overrides: values by dotted key, such as methods.swiftlearn.fraction; all but the last part must exist.
        root: the folder of the worktree.

    Raises:
        UserError: naming the key, and the nearest known one.
    """
    if not (task or methods or overrides):
        return params, text
    _check_size(overrides)
    changed = yaml_file.read(PARAMS, root)
    assert isinstance(changed, dict), "params was read from this file"
    if task:
        changed["task"] = task
    if methods:
        changed["compare"] = {name: _warm_up_of(params, name) for name in methods}
    for key, value in overrides.items():
        _put(changed, key, value)
    written = yaml.dump(changed, Dumper=_Quoting, sort_keys=False, allow_unicode=True)
    if len(written) > MOST_TEXT:
        raise UserError(f"params.yaml: must be at most {MOST_TEXT} characters with overrides, got {len(written)}")
    (root / PARAMS).write_text(written, encoding="utf-8")
    return load_received(root=root), written


def _check_size(overrides: Mapping[str, object]) -> None:
    if (size := len(json.dumps(overrides))) > MOST_JSON:
        raise UserError(f"overrides: must be at most {MOST_JSON} characters of JSON, got {size}; send a whole params.yaml")
    for key, value in overrides.items():
        if (depth := _depth(value)) > DEEPEST:
            raise UserError(f"overrides: {key}: must be at most {DEEPEST} deep, got {depth}")


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _warm_up_of(params: Params, method: str) -> str:
    if method not in params.methods:
        raise UserError(unknown(f"methods: {method!r}", "method in params.yaml", method, params.methods))
    none = next((name for name, warm_up in params.warm_ups.items() if not warm_up.epochs), "none")
    study = params.study.methods if params.study else {}
    return params.compare.get(method) or study.get(method) or none


def _put(content: MutableMapping[str, object], key: str, value: object) -> None:
    """Set the dotted ``key`` to ``value`` in place; its last part may be new."""
    *way, last = key.split(".")
    mapping, seen = content, ""
    for part in way:
        inner = mapping.get(part)
        if not isinstance(inner, dict):
            mappings = [k for k, v in mapping.items() if isinstance(v, dict)]
            raise UserError(f"overrides: {unknown(f'{seen}{part}', 'mapping in params.yaml', part, mappings)}")
        mapping, seen = inner, f"{seen}{part}."
    mapping[last] = value
