"""No proxy for servers on this machine."""

from __future__ import annotations

import os

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bypass_proxy() -> None:
    """Add the loopback hosts to ``no_proxy`` in the environment of this process and its children.

    HTTP clients read one of two spellings, so both are set to the union of the two.
    """
    both = ",".join(filter(None, (os.environ.get(name) for name in ("no_proxy", "NO_PROXY"))))
    names = dict.fromkeys(name.strip() for name in both.split(",") if name.strip())
    if "*" in names:
        return
    both = ",".join([*names, *(host for host in LOOPBACK if host not in names)])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = both
