"""Garbage collection, off while a process loads models, and at its exit."""

from __future__ import annotations

import atexit
import gc


def spare(*, loading: bool) -> None:
    """Skip garbage collection at exit, and with ``loading`` turn it off until ``loaded`` is called.

    None of the million objects of the libraries and a model is garbage. Collecting took 0.6 s of 3.1 s of imports, and
    1.0 s of 1.2 s of a process's exit (torch and transformers, two cores of an AMD EPYC).
    """
    atexit.register(gc.freeze)
    if loading:
        gc.disable()


def loaded() -> None:
    """Turn garbage collection on again, for objects created from now on; do nothing if it is on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
