"""Compatibility check: agents must have the coordinator's package versions and code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipelines.core import artifacts
from pipelines.core.errors import UserError

#: Packages on whose versions the bytes of results depend.
PACKAGES = (
    "datasets", "numpy", "pyarrow", "safetensors", "scikit-learn", "scipy", "timm", "tokenizers", "torch",
    "torchvision", "transformers",
)  # fmt: skip
#: Folders of the flows' code, taken from the agent's clone; the stage's own code is taken from the revision.
FLOWS = ("agents", "config", "core", "flows", "versioning")


def packages() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on.

    Builds of one version (``2.14.1+cpu``) count as one: agents with and without a GPU serve one comparison.
    """
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in PACKAGES:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = "none"
    return found


def flows() -> str:
    """Return the SHA-256 of the flows' code in this clone."""
    root = Path(__file__).parents[1]
    files = sorted(path for name in FLOWS for path in (root / name).rglob("*.py"))
    return artifacts.digest({path.relative_to(root).as_posix(): artifacts.digest_of(path) for path in files})


def check(agent: str, requested: Mapping[str, str], flows_requested: str) -> None:
    """Raise unless this agent has the requested package versions and flow code.

    Raises:
        UserError: with the agent's name and every difference.
    """
    own = packages()
    differ = [f"{name} {own.get(name, 'none')} (requested: {v})" for name, v in sorted(requested.items()) if own.get(name) != v]
    if differ:
        raise UserError(f"agent {agent}: its packages differ from the coordinator's: {', '.join(differ)}; see constraints.txt")
    if flows_requested and flows_requested != flows():
        mend = f"run 'git pull' in {Path.cwd()} on that machine"
        raise UserError(f"agent {agent}: its code differs from the coordinator's; {mend}")
