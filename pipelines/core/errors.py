"""Exceptions, and helpers for error messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: Most characters of a name in a message.
LONGEST = 80


class UserError(Exception):
    """Invalid input; the message names key or file, bound, value and the nearest valid one."""


class RankError(Exception):
    """A rank of a stage ended early; the message says which, and how."""


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown ``name``: the nearest ``known`` names, and all unless they are many."""
    near = [short(n) for n in get_close_matches(name, sorted(known), 8, 0.4)]
    names, where = sorted(map(short, known)), where.replace(name, short(name))
    hint = f", did you mean {near[0]!r}?" if near else ""
    if len(names) > 20:
        return f"{where}: no such {kind}{hint} ({len(names)} known, the nearest: {', '.join(near) or 'none'})"
    return f"{where}: no such {kind}{hint} (known: {', '.join(names) or 'none'})"


def short(name: str) -> str:
    """Return ``name``, a long one shortened to its start and end."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}...{name[-LONGEST // 4 :]}"


def without_passwords(text: str) -> str:
    """Return ``text`` without the user and password in its URLs."""
    return re.sub(r"//[^@/\s]*@", "//", text)


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was stopped, and has saved its state."""


class StageFailedError(Exception):
    """A stage failed; a retry may succeed."""


class AwayError(StageFailedError):
    """The remote did not answer, or refused an upload."""


class GivenUpError(Exception):
    """The run was cancelled or marked lost in the meantime; the message is that of its state."""
