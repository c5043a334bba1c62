"""Savings of channels last on a CPU, for steps and looks of image models on noise.

``components`` builds the models; ``pipelines.training.builders.placed`` sets the layout as every stage does.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.common import ONE_THREAD, save, summary

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Steps, and looks, in a turn of one layout.
BATCHES = 4


def models() -> dict[str, tuple[nn.Module, tuple[int, ...], int]]:
    """Return models by name, each with its image shape and batch size."""
    from components.models.small import cnn, lenet
    from components.models.vision import vision

    vit = {"patch_size": 7, "num_layers": 3, "num_heads": 4, "hidden_dim": 64, "mlp_dim": 128}
    return {
        "lenet, 1 x 28 x 28": (lenet(1, 28, 10), (1, 28, 28), 128),
        "cnn, 1 x 28 x 28": (cnn(1, 28, 10), (1, 28, 28), 128),
        "cnn, 3 x 32 x 32": (cnn(3, 32, 10), (3, 32, 32), 128),
        "resnet18, 3 x 32 x 32": (vision("resnet18", 3, 32, 10, {}), (3, 32, 32), 32),
        "vit, 3 x 28 x 28": (vision("vit", 3, 28, 10, vit), (3, 28, 28), 64),
    }


def seconds(model: nn.Module, images: Tensor, target: Tensor) -> tuple[float, float]:
    """Return the CPU seconds of ``BATCHES`` steps, and of as many looks at twice as many images."""
    import torch
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.SGD(model.parameters(), 0.01, fused=True)
    start = time.process_time()
    model.train()
    for _ in range(BATCHES):
        optimizer.zero_grad()
        cross_entropy(model(images), target).backward()
        optimizer.step()
    stepped = time.process_time()
    model.eval()
    with torch.inference_mode():
        for _ in range(BATCHES):
            model(images.repeat(2, 1, 1, 1))
    return stepped - start, time.process_time() - stepped


def measure(rounds: int) -> dict[str, Any]:
    """Return the median ratios of channels last to channels first, by model."""
    import torch

    from pipelines.training.builders import placed

    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for name, (first, shape, size) in models().items():
        last = placed(copy.deepcopy(first), torch.device("cpu"))
        images, target = torch.randn(size, *shape), torch.randint(0, 10, (size,))
        both = [(seconds(last, images, target), seconds(first, images, target)) for _ in range(rounds + 1)][1:]
        ratios = [[x / y for x, y in zip(*pair, strict=True)] for pair in both]
        found[name] = {"step": summary([r[0] for r in ratios]), "look": summary([r[1] for r in ratios])}
    return {"batches": BATCHES, "last_over_first": found}


def main() -> None:
    """Measure all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    save("layout", measure(parser.parse_args().rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
