"""Cost of augmentation in a training step of a ResNet-8, by list of transforms, on images of noise.

The ResNet-8 is that of He et al. (arXiv 1512.03385, section 4.2) with n = 1: 16, 32 and 64 channels. The ways take turns, a
step each; the images are fetched by the same code as in training, and a step includes its fetch.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from benchmarks.common import ONE_THREAD, cpu_seconds, save, summary

if TYPE_CHECKING:
    from torch import nn

    from components.engine.learner import Learner
    from components.tasks.image import Images

#: Images of a step, and steps of a round.
BATCH, STEPS = 128, 8
SHAPES = {"1 x 28 x 28": (1, 28, 28), "3 x 32 x 32": (3, 32, 32)}
PLAIN = "nothing"


def ways(seed: int = 0) -> dict[str, Any]:
    """Return the lists of transforms by name, each as an augmentation; None for none."""
    from components.tasks.augmentation import Augmentation, Crop, Erase, Flip, RandAugment

    common = [Crop(4), Flip(0.5)]
    lists = {
        "crop, flip": common,
        "crop, flip, erase": [*common, Erase(0.25)],
        "crop, flip, rand-augment": [*common, RandAugment(2, 9)],
        "crop, flip, rand-augment, erase": [*common, RandAugment(2, 9), Erase(0.25)],
    }
    return {PLAIN: None, **{name: Augmentation(transforms, seed) for name, transforms in lists.items()}}


def resnet8(channels: int) -> nn.Module:
    """Return a ResNet-8 of 10 classes, of torchvision's blocks."""
    from torch import nn
    from torchvision.models.resnet import BasicBlock, conv1x1

    def block(before: int, after: int) -> nn.Module:
        stride = after // before
        shortcut = nn.Sequential(conv1x1(before, after, stride), nn.BatchNorm2d(after)) if stride > 1 else None
        made: nn.Module = BasicBlock(before, after, stride, shortcut)
        return made

    stem = [nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    blocks = [block(16, 16), block(16, 32), block(32, 64)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def parts(shape: tuple[int, ...]) -> tuple[Learner, Images]:
    """Return a learner of a fresh ResNet-8, and images of noise."""
    import numpy as np
    import torch

    from components.engine.learner import Learner
    from components.engine.optimizers import build_optimizer
    from components.models.vision import Named
    from components.tasks.image import Images
    from pipelines.training.builders import placed

    torch.manual_seed(0)
    model = placed(Named(resnet8(shape[0])), torch.device("cpu"))
    learner = Learner(model, build_optimizer(model, "sgd", 0.01, fused=True, momentum=0.9), lambda epoch: 1.0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (BATCH * STEPS, *shape), dtype=np.uint8)
    return learner, Images(pixels, rng.integers(0, 10, len(pixels)), 10, 127.5, 74.0)


def a_round(shape: tuple[int, ...], number: int) -> tuple[dict[str, float], float]:
    """Return the CPU seconds of ``STEPS`` fetches of each way, and of as many steps without any; ``number`` shifts turns.

    Each fetch comes after a step, which leaves the processor's caches as a training does.
    """
    import torch

    from components.tasks.batch import Rows

    learner, images = parts(shape)
    seen = {name: images if way is None else images.augmented(way, number) for name, way in ways().items()}
    order = list(seen)[number % len(seen) :] + list(seen)[: number % len(seen)]
    fetching, stepping = dict.fromkeys(seen, 0.0), 0.0
    for rows in Rows.unweighted(torch.randperm(len(images))).split(BATCH):
        for name in order:
            fetching[name] += cpu_seconds(lambda: learner.fetch(seen[name], rows))  # noqa: B023 - called at once
            batch = learner.fetch(seen[name], rows)
            stepping += cpu_seconds(lambda: learner.step(batch, 0.0))  # noqa: B023 - called at once
    return fetching, stepping / len(seen)


def measure(rounds: int) -> dict[str, Any]:
    """Return what a list of transforms adds to a step, as a share of a step without it, by shape and list."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    found: dict[str, Any] = {"batch": BATCH, "target": 0.1, "added": {}, "milliseconds": {}}
    for title, shape in SHAPES.items():
        made = [a_round(shape, number) for number in range(rounds + 1)][1:]  # the first warms up
        names = [name for name in made[0][0] if name != PLAIN]
        more = {name: [fetching[name] - fetching[PLAIN] for fetching, _ in made] for name in names}
        whole = [fetching[PLAIN] + stepping for fetching, stepping in made]
        found["added"][title] = {n: summary([a / b for a, b in zip(more[n], whole, strict=True)]) for n in names}
        times = more | {"a step": whole}
        found["milliseconds"][title] = {n: round(1e3 * summary(t)["median"] / STEPS, 2) for n, t in times.items()}
    return found


def main() -> None:
    """Measure all lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    save("augment", measure(parser.parse_args().rounds))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
