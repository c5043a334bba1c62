"""Writes the reference pages from the code: python docs/generate.py; a test compares them with what it writes."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import PydanticJsonSchemaWarning

from pipelines.config.params import Params
from pipelines.config.plans import ComparisonPlan, MethodPlan, TaskPlan, TrainingPlan, WarmUpPlan
from pipelines.core.environment import PUBLIC
from pipelines.costs.account import Account
from pipelines.costs.records import CostRecord
from pipelines.data.manifest import Manifest

FOLDER = Path(__file__).parent / "reference"
Schema = dict[str, Any]
#: Bounds of JSON schema, in words.
BOUNDS = {"minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "under {}"}
#: Bounds that are better told as powers.
WIDEST = {2**63: "2^63"}
RECORDS: dict[str, type[BaseModel]] = {
    "results/plan/task.json": TaskPlan,
    "results/plan/training.json": TrainingPlan,
    "results/plan/comparison.json": ComparisonPlan,
    "results/plan/methods/m.json": MethodPlan,
    "results/plan/warm_ups/w.json": WarmUpPlan,
    "results/prepare/manifest.json": Manifest,
    "results/cost/stage.name.json": CostRecord,
    "results/account/account.json": Account,
}


def _schema(record: type[BaseModel]) -> Schema:
    """Return the JSON schema of ``record``."""
    with warnings.catch_warnings():
        # Of models that are built late it leaves out the mapping of a union's discriminator, which no page shows.
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        return record.model_json_schema(by_alias=True)


def pages() -> dict[Path, str]:
    """Return the pages' texts, by file."""
    of_params = _schema(Params)
    links = {name: f"#{name.lower()}" for name in of_params["$defs"]}
    params = [_head("params"), *_sections({"Top level": of_params}, links, 2)]
    records = {f"`{path}`": _schema(record) for path, record in RECORDS.items()}
    files = [_head("files"), *_sections(records, {name: f"params.md{link}" for name, link in links.items()}, 3)]
    return {
        FOLDER / "params.md": "\n".join(params),
        FOLDER / "environment.md": "\n".join([_head("environment"), *_variables()]) + "\n",
        FOLDER / "files.md": "\n".join(files),
    }


def _head(page: str) -> str:
    """Return the text that a page begins with."""
    return (FOLDER / f"{page}.head.txt").read_text(encoding="utf-8")


def _sections(schemas: dict[str, Schema], links: dict[str, str], level: int) -> Iterator[str]:
    """Yield the lines on records, and then on each that is part of one and that ``links`` has on no other page."""
    parts = {name: part for schema in schemas.values() for name, part in schema.get("$defs", {}).items()}
    own = {n: p for n, p in parts.items() if "properties" in p and not links.get(n, "").startswith("params.md")}
    known = links | {name: f"#{name.lower()}" for name in own}
    for title, schema in (schemas | dict(sorted(own.items()))).items():
        yield from _section(title, schema, known, level + (title in own))


def _section(title: str, schema: Schema, links: dict[str, str], level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}\n"
    yield _described(inspect.cleandoc(schema.get("description", "")))
    yield "| key | value | default |"
    yield "|---|---|---|"
    required = schema.get("required", [])
    for key, value in schema["properties"].items():
        default = "required" if key in required else _default(value)
        yield f"| `{key}` | {_type(value, links)} | {default} |"
    yield ""


def _described(text: str) -> str:
    """Return a docstring as Markdown: its attributes as a list."""
    before, _, attributes = text.replace("``", "`").partition("\nAttributes:\n")
    lines = re.sub(r"^    (\w+): ", r"* `\1`: ", attributes, flags=re.MULTILINE).replace("\n        ", " ")
    return f"{before}\n\n{lines}\n" if lines else f"{before}\n"


def _default(value: Schema) -> str:
    default = value.get("default")
    if isinstance(default, dict):
        told = ", ".join(
            f"{k}: {str(v).lower() if isinstance(v, bool) else v}" for k, v in default.items() if v not in (None, [])
        )
        return f"`{{{told}}}`"
    return "none" if default in (None, [], {}) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(value: Schema, links: dict[str, str]) -> str:
    """Return in words what a value of JSON schema may be."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}]({links[name]})" if name in links else "any JSON"
    if "const" in value or "enum" in value:
        return ", ".join(f"`{v}`" for v in value.get("enum", [value.get("const")]))
    if options := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(o, links) for o in options if o.get("type") != "null"))
    kind: str = value.get("type", "any JSON")
    if kind == "array":
        return f"list of {_type(value.get('items', {}), links)}"
    if kind == "object":
        named = next(iter(value.get("patternProperties", {}).values()), value.get("additionalProperties"))
        return f"by name: {_type(named, links)}" if isinstance(named, dict) and named else "mapping"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`"}.get(kind, kind)
    bounds = [text.format(WIDEST.get(value[key], f"{value[key]:g}")) for key, text in BOUNDS.items() if key in value]
    return " ".join([words, ", ".join(bounds)]).strip()


def _variables() -> Iterator[str]:
    yield "| variable | means | must be | without it |"
    yield "|---|---|---|---|"
    for variable in PUBLIC:
        default = f"`{variable.default:g}`" if isinstance(variable.default, float) else f"`{variable.default}`"
        yield f"| `{variable.name}` | {variable.means} | {variable.must or 'a text'} | {default if variable.default else ''} |"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
