"""What prepare found, in a few lines for whoever runs it."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.arrays import Array
from pipelines import leaks, texts
from pipelines.progress import say

#: Classes that are named with their sizes; of more, the largest and the smallest.
NAMED = 6


def told(manifest: dict[str, Any], label: Array | None) -> list[str]:
    """Return what is there, what was changed on reading, and which texts are not there as a whole.

    Args:
        manifest: of the prepared splits.
        label: ``(N,)`` of the training split; None where nothing but tokens is learnt.
    """
    counts = manifest["counts"]
    unit = "blocks" if manifest["kind"] == "language" else "examples"
    lines = [f"{counts['train']:,} training and {counts['test']:,} test {unit}{_classes(manifest['classes'], label)}"]
    lines += [f"{count:,} {what}" for what, count in manifest.get("changes", {}).items()]
    if empty := manifest.get("empty_classes"):
        lines.append(f"no rows of {', '.join(empty)}: classes that are left out (empty_classes: drop)")
    lines += leaks.sentences(manifest)
    if any(manifest.get("truncated", {}).values()):
        where = f"tasks.{manifest['task']}.max_length in params.yaml sets where"
        lines.append(f"{texts.truncation(manifest)}; {where}")
    return lines


def _classes(names: list[str], label: Array | None) -> str:
    """Return how many classes there are, and how many training examples of each."""
    if not names or label is None:
        return ""
    sizes = np.bincount(label, minlength=len(names))
    order = np.argsort(-sizes, kind="stable")
    shown = [f"{names[c]} {sizes[c]:,}" for c in order]
    if len(shown) > NAMED:
        shown = [*shown[: NAMED - 1], f"..., {shown[-1]}"]
    return f" of {len(names)} classes: {', '.join(shown)}"


def tell(manifest: dict[str, Any], label: Array | None) -> None:
    """Say it of what is known of both splits, and of the labels of training."""
    for line in told(manifest, label):
        say(f"prepare: {line}")
