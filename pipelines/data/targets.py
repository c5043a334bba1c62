"""Targets: classes or numbers, read from labels and checked on the training split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from components.arrays import Array, count_of
from components.rng import stream
from pipelines.config.plans import TaskPlan
from pipelines.config.schema.regimes import LabelNoise
from pipelines.core.errors import UserError
from pipelines.data.class_names import check_classes, classes_of, composed_labels
from pipelines.data.label_sets.reading import label_sets
from pipelines.data.label_sets.settling import settled
from pipelines.data.manifest import LabelNoiseFacts, TargetFacts, TrainCounts
from pipelines.data.numeric.reading import number_lists, numbers
from pipelines.data.numeric.settling import settled_number, settled_numbers
from pipelines.sources.raw import Raw


@dataclass(frozen=True)
class Target:
    """Parsed labels.

    Attributes:
        value: ``(N,)`` int64 class, float64 number in its own unit, ``(N, C)`` uint8 of several classes, or ``(N, K)`` float64
            of several numbers.
        kept: ids of the rows that are used.
        names: of the classes; None if the target is a number, or several.
        changes: number of changed labels by kind of change.
        numbers: names of several numbers.
    """

    value: Array
    kept: Array
    names: list[str] | None
    changes: dict[str, int] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)

    @property
    def classes(self) -> Array | None:
        """The one class of each row ``(N,)``, if rows have one."""
        return None if self.names is None or self.value.ndim > 1 else self.value


@dataclass(frozen=True)
class Settled:
    """Targets as stored.

    Attributes:
        train: ``(N,)`` int64 or float32, ``(N, C)`` uint8 or ``(N, K)`` float32, for training, with any label noise.
        test: the same, without noise.
        facts: their metadata.
    """

    train: Array
    test: Array
    facts: TargetFacts


def read(raw: Raw, task: TaskPlan) -> Target:
    """Return the target of each row.

    Raises:
        UserError: naming the id of an invalid label.
    """
    if task.own_target:  # which come with the inputs
        return Target(np.zeros(len(raw.label), np.int64), np.arange(len(raw.label)), None)
    if task.predicts == "number":
        value = numbers(raw.label, f"{task.name}: label")
        return Target(value, np.arange(len(value)), None)
    if task.predicts == "numbers":
        value, named = number_lists(raw.label, task)
        return Target(value, np.arange(len(value)), None, numbers=named)
    if task.predicts == "classes":
        value, names, composed = label_sets(raw.label, raw.names, task)
        return Target(value, np.arange(len(value)), names, composed_labels(composed))
    return Target(*_classes(raw, task))


def _classes(raw: Raw, task: TaskPlan) -> tuple[Array, Array, list[str], dict[str, int]]:
    """Return each row's class ``(N,)``, the ids in use, the class names, and counts of changed labels."""
    if (margin := task.binarize) is not None:
        value = numbers(raw.label, f"{task.name}: binarize: label")
        return (value > 0).astype(np.int64), np.flatnonzero(np.abs(value) >= margin), ["negative", "positive"], {}
    if raw.names is not None:
        outside = np.flatnonzero((raw.label < 0) | (raw.label >= len(raw.names)))
        if len(outside):
            first, bound = outside[0], len(raw.names) - 1
            hidden = "; a split whose labels are -1 has hidden labels, so use another as the test split"
            message = f"{task.name}: label of id {first} must be in [0, {bound}], got {raw.label[first]}"
            raise UserError(message + (hidden if raw.label[first] == -1 else ""))
        return raw.label.astype(np.int64), np.arange(len(raw.label)), raw.names, {}
    target, names, composed = classes_of(raw.label, task.name)
    return target, np.arange(len(target)), names, composed_labels(composed)


def settle(target: Target, train: Array, test: Array, task: TaskPlan) -> Settled:
    """Return the targets to store, given the ids of the training and the test split.

    Raises:
        UserError: if the targets cannot be learnt from the training split.
    """
    if task.own_target:
        return Settled(target.value, target.value, own_tokens(task))
    if target.names is None:
        numeric = (target.value, target.numbers, train, test, task)
        stored, facts = settled_numbers(*numeric) if target.numbers else settled_number(target.value, train, test, task)
        return Settled(stored, stored, facts)
    if target.value.ndim > 1:
        return Settled(*settled(target.value, target.names, train, test, task))
    return _settled_classes(target, train, test, task)


def _settled_classes(target: Target, train: Array, test: Array, task: TaskPlan) -> Settled:
    names, clean = target.names or [], target.value
    if empty := check_classes(clean[train], clean[test], names, task):
        used = np.unique(clean[train])
        names, clean = [names[c] for c in used], np.searchsorted(used, clean)
    noisy = _noise(clean, train, len(names), task.label_noise)
    facts = TargetFacts(
        target="class",
        metric=task.judging_metric.name,
        higher=task.judging_metric.higher,
        classes=names,
        outputs=len(names),
        by_class=TrainCounts(train=np.bincount(noisy[train], minlength=len(names)).tolist()),
        label_scale=None,
        label_noise=_noise_facts(task.label_noise, int((noisy != clean)[train].sum())),
    )
    return Settled(noisy, clean, facts.model_copy(update={"empty_classes": empty}) if empty else facts)


def own_tokens(task: TaskPlan) -> TargetFacts:
    """Return the metadata of targets that are tokens: of a block or conversation all but the first, else those of a text."""
    judged, kind = task.judging_metric, task.target_kind
    if task.kind == "instructions":
        outputs = task.max_length - 1
    else:
        outputs = {"tokens": task.block - 1, "sequence": task.max_target_length}.get(kind, 1)
    facts = {"target": kind, "metric": judged.name, "higher": judged.higher, "classes": [], "outputs": outputs}
    return TargetFacts.of(facts | {"label_scale": None, "label_noise": None})


def _noise(target: Array, train: Array, classes: int, noise: LabelNoise | None) -> Array:
    """Return the targets with label noise: some training labels become a random other class, or the next."""
    noisy = target.copy()
    if noise is not None and noise.fraction:
        rng = stream(noise.seed, "label noise")
        changed = rng.permutation(train)[: count_of(noise.fraction, len(train))]
        noisy[changed] = (target[changed] + (1 if noise.by_class else rng.integers(1, classes, len(changed)))) % classes
    return noisy


def _noise_facts(noise: LabelNoise | None, changed: int) -> LabelNoiseFacts | None:
    return None if noise is None else LabelNoiseFacts(**noise.model_dump(), changed=changed)
