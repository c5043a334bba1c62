"""Prints the address of this project's experiment in MLflow."""

from __future__ import annotations

import sys

from pipelines.tracking.client import with_tracker


def page(server: str) -> str:
    """Return the address of the experiment's runs, or the server's if MLflow's store is unreachable.

    The experiment is the one that the environment names; it is created if missing.
    """
    experiment = with_tracker(lambda tracker: tracker.experiment)
    return f"{server}/#/experiments/{experiment}/runs" if experiment else server


if __name__ == "__main__":
    sys.stdout.write(f"{page(sys.argv[1])}\n")
