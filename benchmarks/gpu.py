"""Wall time of an epoch on a GPU: a plain loop, and Winnow with and without a method.

Models, batches, order and fetching are the same; whole epochs take turns, since a device is not shared fairly inside one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from benchmarks.common import asked, inside, params_of, save, summary
from benchmarks.training_loops import Loop, Setting, plain, setting_of, winnow

#: Case -> task, replacements of its model, and other training settings.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "lenet": ("fashion-mnist", {}, {}),
    "resnet18": ("fashion-mnist", {"model": {"family": "torchvision", "name": "resnet18"}}, {"precision": "bf16"}),
    "minilm": ("movie-reviews", {}, {"precision": "bf16"}),
}
FRACTION = 0.2


def keeping_some(setting: Setting) -> Loop:
    """Train through ``Training`` with AdaSelection at door 3."""
    from components.selection.keep.adaselection import AdaSelection

    return winnow(setting, AdaSelection(FRACTION))


WAYS: dict[str, Callable[[Setting], Loop]] = {"plain": plain, "winnow": winnow, "adaselection": keeping_some}


def seconds(loop: Loop) -> float:
    """Return the seconds of an epoch of ``loop``, until the device has finished."""
    import torch

    torch.cuda.synchronize()
    start = time.perf_counter()
    deque(loop.steps, maxlen=0)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(case: str, folder: str, rounds: int) -> dict[str, Any]:
    """Return the seconds of an epoch, and the ratios to the plain loop by round."""
    import torch

    task, instead, training = CASES[case]
    params = params_of(task, folder, **training)
    params["tasks"][task] |= instead
    with inside(params):
        setting = setting_of()
        rounds_made = []
        for number in range(rounds + 1):
            order = [list(WAYS)[(number + i) % len(WAYS)] for i in range(len(WAYS))]
            rounds_made.append({name: seconds(WAYS[name](setting)) for name in order})
        del rounds_made[0]  # warm-up
    return {
        "case": case,
        "device": torch.cuda.get_device_name(),
        "examples": len(setting.examples),
        "batch_size": setting.training.batch_size,
        "seconds": {name: summary([made[name] for made in rounds_made]) for name in WAYS},
        "over_plain": {name: summary([made[name] / made["plain"] for made in rounds_made]) for name in WAYS if name != "plain"},
    }


def main() -> None:
    """Measure one case, or all."""
    import torch

    if not torch.cuda.is_available():
        sys.exit("benchmarks.gpu: CUDA sees no GPU here")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = asked(parser, CASES)
    for case in given.tasks:
        save(f"gpu.{case}", measure(case, given.fashion_mnist, given.rounds))


if __name__ == "__main__":
    main()
