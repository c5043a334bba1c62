"""Reader of YAML 1.2, as DVC reads it; refuses ambiguous values and duplicate keys."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from pipelines.core.artifacts import HERE
from pipelines.core.errors import UserError

#: Most levels of lists and mappings inside each other; libyaml's composer recurses without a bound of its own.
DEEPEST = 100

#: Unquoted values that YAML 1.1 and 1.2 read differently, each with a remedy.
AMBIGUOUS = (
    (re.compile(r"[-+]?0[0-9_]+"), "write the number without the 0 before it, or a text in quotes"),
    (re.compile(r"[-+]?0o[0-7_]+"), "write the number in tens, or a text in quotes"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "write the number, or a text in quotes"),
    (re.compile(r"yes|no|on|off", re.IGNORECASE), "write true or false, or a text in quotes"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "write it in quotes"),
)


def read(path: Path, root: Path = HERE) -> object:
    """Return the content of the YAML file ``path`` in the folder ``root``.

    Raises:
        UserError: naming the line that cannot be read, or is ambiguous.
    """
    text = text_of(path, root)
    try:
        _check_depth(text, path)
        # As DVC does: by libyaml, since pyproject.toml asks for ruamel.yaml.clib. It takes a fifth of the time, or less, and
        # refuses some texts that the parser in Python takes, such as an unquoted address between braces.
        reader = YAML(typ="safe")
        node = reader.compose(text)
        _check(node, path, set())
        # ``reader.load`` would parse the text a second time, which takes as long again.
        content: object = None if node is None else reader.constructor.construct_document(node)
    except MarkedYAMLError as error:
        last = len(text.splitlines())
        line = f"line {min(error.problem_mark.line + 1, last)}: " if error.problem_mark else ""
        remedy = "; put a text with a colon in quotes" if error.problem == "found unexpected ':'" else ""
        raise UserError(f"{path}: cannot be read: {line}{error.problem or error.context}{remedy}") from None
    except (YAMLError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read: {str(error).partition(chr(10))[0]}") from None
    return content


def text_of(path: Path, root: Path = HERE) -> str:
    """Return the text of ``path`` in the folder ``root``.

    Raises:
        UserError: where it is missing, or no text; it is called as in ``root``.
    """
    try:
        return (root / path).read_text(encoding="utf-8")
    except OSError as error:
        error.filename = str(path)
        raise UserError(f"{path}: cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _check_depth(text: str, path: Path) -> None:
    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise UserError(f"{path}: cannot be read: values are nested more than {DEEPEST} deep")


def _check(node: Node | None, path: Path, seen: set[int]) -> None:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        _check_scalar(node, path)
        return
    if isinstance(node, MappingNode):
        _check_keys(node, path)
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            _check(part, path, seen)


def _check_keys(node: MappingNode, path: Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            continue
        if (first := lines.get(key.value)) is not None:
            raise UserError(f"{path}: line {line}: {key.value!r} is already in line {first}; keep one of them")
        lines[key.value] = line


def _check_scalar(node: ScalarNode, path: Path) -> None:
    if node.style:  # in quotes, or a block
        return
    for pattern, remedy in AMBIGUOUS:
        if pattern.fullmatch(node.value):
            line = node.start_mark.line + 1
            raise UserError(f"{path}: line {line}: {node.value}: YAML 1.1 and 1.2 read this value differently; {remedy}")
