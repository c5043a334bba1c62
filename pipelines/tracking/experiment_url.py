"""Prints the address of this project's experiment in MLflow."""

from __future__ import annotations

import sys

from pipelines.tracking.client import with_tracker


def page(server: str) -> str:
    """Return the page with the runs of the experiment that the environment names, made where it is not there yet.

    Where MLflow's store cannot be asked it is the server's first page.
    """
    experiment = with_tracker(lambda tracker: tracker.experiment)
    return f"{server}/#/experiments/{experiment}/runs" if experiment else server


if __name__ == "__main__":
    sys.stdout.write(f"{page(sys.argv[1])}\n")
