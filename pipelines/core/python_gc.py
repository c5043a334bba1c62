"""Garbage collection, off while a process loads models, and at its exit."""

from __future__ import annotations

import atexit
import gc


def spare(*, loading: bool) -> None:
    """Let what is alive at this process's end be, and while it is ``loading``, up to ``loaded``, collect nothing.

    Of the libraries' and a model's million objects none is garbage. To look for some took 0.6 s of 3.1 s of imports, and
    1.0 s of 1.2 s of a process's end (torch and transformers, two cores of an AMD EPYC).
    """
    atexit.register(gc.freeze)
    if loading:
        gc.disable()


def loaded() -> None:
    """Collect again, from what comes after this; where nothing was spared, change nothing."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
