"""No proxy for servers on this machine."""

from __future__ import annotations

import os

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bypass_proxy() -> None:
    """Add the names of this machine to those that no proxy is for, in the environment of this process and of those it starts.

    HTTP clients read one of two spellings, so that both are set to what either said.
    """
    said = ",".join(filter(None, (os.environ.get(name) for name in ("no_proxy", "NO_PROXY"))))
    names = dict.fromkeys(name.strip() for name in said.split(",") if name.strip())
    if "*" in names:
        return
    both = ",".join([*names, *(host for host in LOOPBACK if host not in names)])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = both
