"""Exceptions, and the texts of errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: Characters of a name that a message repeats.
LONGEST = 80


class UserError(Exception):
    """A mistake in the input; its text names the key or file, the bound, the value and the nearest valid one."""


class RankError(Exception):
    """One of a stage's processes ended before the stage did; its text says which, and how."""


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> str:
    """Return the text for a ``name`` that is not among the ``known``: the nearest of them, and all unless they are many."""
    near = [short(n) for n in get_close_matches(name, sorted(known), 8, 0.4)]
    names, where = sorted(map(short, known)), where.replace(name, short(name))
    hint = f", did you mean {near[0]!r}?" if near else ""
    if len(names) > 20:
        return f"{where}: no such {kind}{hint} ({len(names)} known, the nearest: {', '.join(near) or 'none'})"
    return f"{where}: no such {kind}{hint} (known: {', '.join(names) or 'none'})"


def short(name: str) -> str:
    """Return ``name``, or of a long one how it begins and ends."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}...{name[-LONGEST // 4 :]}"


def without_passwords(text: str) -> str:
    """Return ``text`` without what stands before the host in an address, which may be a password."""
    return re.sub(r"//[^@/\s]*@", "//", text)


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was asked to end and has saved where it was."""


class StageFailedError(Exception):
    """A stage that ended with an error which another try might not meet."""


class AwayError(StageFailedError):
    """The remote did not answer, or did not take what it was sent."""


class GivenUpError(Exception):
    """The run was given up meanwhile; its text is what its state says of that."""
