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

#: Bounds of what arrives over the API: of a params.yaml in characters, of overrides in characters of JSON and in depth.
MOST_TEXT, MOST_JSON, DEEPEST = 65_536, 16_384, 5
Text = Annotated[str, Field(max_length=MOST_TEXT)]
Word = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")]
Words = Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]], Field(max_length=64)]
Keys = Annotated[dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")], Any], Field(max_length=64)]


class _Quoting(yaml.SafeDumper):
    """Quotes every text: DVC's YAML 1.2 takes some for numbers that YAML 1.1 does not, and the other way round."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def resolve(
    held: Params, text: str, task: str, methods: list[str], overrides: Mapping[str, object], root: Path = HERE
) -> tuple[Params, str]:
    """Return the params that are asked for, with the text for the stages, and leave it as the params.yaml of a worktree.

    Args:
        held: what params.yaml holds, the revision's own or ``text``.
        text: what the stages are sent where nothing else is asked for.
        task: stands in the place of its key ``task``; empty for that.
        methods: stand in the place of ``compare``, each with the warm-up that it has there, or in ``study``, or with none.
        overrides: values by dotted key, methods.swiftlearn.fraction for example; a key between dots must be there.
        root: the folder of the worktree.

    Raises:
        UserError: naming the key, and the nearest that there is.
    """
    if not (task or methods or overrides):
        return held, text
    _check_size(overrides)
    changed = yaml_file.read(PARAMS, root)
    assert isinstance(changed, dict), "what was held is read from there"
    if task:
        changed["task"] = task
    if methods:
        changed["compare"] = {name: _warm_up_of(held, name) for name in methods}
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


def _warm_up_of(held: Params, method: str) -> str:
    if method not in held.methods:
        raise UserError(unknown(f"methods: {method!r}", "method in params.yaml", method, held.methods))
    none = next((name for name, warm_up in held.warm_ups.items() if not warm_up.epochs), "none")
    study = held.study.methods if held.study else {}
    return held.compare.get(method) or study.get(method) or none


def _put(held: MutableMapping[str, object], key: str, value: object) -> None:
    """Put ``value`` where ``key`` says, in place; the last part of it may be new, and then params.yaml's types decide."""
    *way, last = key.split(".")
    mapping, seen = held, ""
    for part in way:
        inner = mapping.get(part)
        if not isinstance(inner, dict):
            mappings = [k for k, v in mapping.items() if isinstance(v, dict)]
            raise UserError(f"overrides: {unknown(f'{seen}{part}', 'mapping in params.yaml', part, mappings)}")
        mapping, seen = inner, f"{seen}{part}."
    mapping[last] = value
