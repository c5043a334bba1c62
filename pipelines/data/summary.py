"""Summary lines of prepared data."""

from __future__ import annotations

import numpy as np

from components.arrays import Array
from pipelines.core.progress import log_line
from pipelines.data.manifest import Manifest

#: Most classes shown with their sizes; of more, the largest and the smallest are shown.
NAMED = 6


def summary_lines(manifest: Manifest, label: Array | None) -> list[str]:
    """Return lines on sizes, classes, changes on reading, duplicates and truncated texts.

    Args:
        manifest: of the prepared splits.
        label: ``(N,)`` of the training split; None for running text.
    """
    counts = manifest.counts
    unit = "blocks" if manifest.kind == "language" else "examples"
    aside = "" if counts.validation is None else f", {counts.validation:,} validation"
    lines = [f"{counts.train:,} training{aside} and {counts.test:,} test {unit}{_classes(manifest.classes, label)}"]
    if manifest.by_label is not None:
        lines[0] += _of_labels(manifest.labels, manifest.by_label.train, counts.train)
    lines += [f"{count:,} {what}" for what, count in manifest.changes.items()]
    if empty := manifest.empty_classes:
        lines.append(f"no rows of {', '.join(empty)}: classes that are left out (empty_classes: drop)")
    lines += repeated(manifest)
    for key, cut in (("max_length", manifest.truncated), ("max_target_length", manifest.truncated_targets)):
        if cut is not None and cut.total:
            lines.append(f"{truncation(manifest, key)}; tasks.{manifest.task}.{key} in params.yaml sets where")
    return lines


def truncation(manifest: Manifest, key: str = "max_length") -> str | None:
    """Return a line on texts, or targets, longer than ``key``; None for other kinds of data."""
    of_targets = key == "max_target_length"
    cut, counts = manifest.truncated_targets if of_targets else manifest.truncated, manifest.counts
    if cut is None:
        return None
    what = "targets" if of_targets else {"seq2seq": "sources", "instructions": "conversations"}.get(manifest.kind, "texts")
    parts = f"{cut.train:,} of {counts.train:,} train and {cut.test:,} of {counts.test:,} test {what}"
    share = cut.total / (counts.train + counts.test)
    return f"{parts} ({share:.1%}) are longer than {key}, {getattr(manifest, key)} tokens, and cut there"


def repeated(manifest: Manifest) -> list[str]:
    """Return lines on the duplicates in a manifest."""
    if (counted := manifest.duplicates_found) is None:
        return []
    among = "" if counted.sought >= manifest.counts.total else f" (near ones among {counted.sought:,} rows)"
    kinds = (
        ("training rows", counted.train_exact, counted.train_near, "repeat an earlier one"),
        ("test rows", counted.leaked_exact, counted.leaked_near, "are in training too"),
        ("validation rows", counted.validation_exact or 0, counted.validation_near or 0, "are in training too"),
    )
    lines = [f"{exact + near:,} {rows} {what}, {exact:,} exactly{among}" for rows, exact, near, what in kinds if exact + near]
    if counted.dropped:
        lines.append(f"{counted.dropped:,} rows left out of training, since {_judging(manifest)} repeat them")
    return lines


def _judging(manifest: Manifest) -> str:
    """Return the rows that judge a model, as text."""
    return "test rows" if manifest.counts.validation is None else "test or validation rows"


def _classes(names: list[str], label: Array | None) -> str:
    """Return the number of classes, and of training examples of each, as text."""
    if not names or label is None:
        return ""
    return f" of {_sized(names, np.bincount(label, minlength=len(names)))}"


def _of_labels(names: list[str], counts: list[int], examples: int) -> str:
    """Return the number of classes, of which examples have any, and of training examples of each, as text."""
    return f" with {sum(counts) / examples:.2f} of {_sized(names, np.array(counts))}"


def _sized(names: list[str], sizes: Array) -> str:
    order = np.argsort(-sizes, kind="stable")
    shown = [f"{names[c]} {sizes[c]:,}" for c in order]
    if len(shown) > NAMED:
        shown = [*shown[: NAMED - 1], f"..., {shown[-1]}"]
    return f"{len(names)} classes: {', '.join(shown)}"


def log_summary(manifest: Manifest, label: Array | None) -> None:
    """Log the summary lines of the prepared splits."""
    for line in summary_lines(manifest, label):
        log_line(f"prepare: {line}")
