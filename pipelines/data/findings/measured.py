"""Findings of a diagnosis, measured in prepared data and a score table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np

from components.arrays import Array
from components.costs.savings import BY_CLASS
from components.diagnosis import fingerprints
from components.diagnosis.duplicates import Copies
from components.diagnosis.measures import Scores, WrongLabels, concentration, pace, paces, signal
from components.diagnosis.recommendation import Facts, recommend
from components.diagnosis.shift import shift
from pipelines.config.plans import DiagnosisPlan
from pipelines.data import leaks
from pipelines.data.findings.records import (
    Advice,
    ClassFinding,
    CopyCounts,
    Findings,
    GradientFinding,
    PaceFinding,
    ShiftFinding,
    WrongLabelsFinding,
)
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split

TARGET_SET = "target set"


@dataclass(frozen=True)
class Together:
    """Both splits as one, training first.

    Attributes:
        train: how many rows are training's.
        ids: ``(N + M,)``.
        same: which of them say what an earlier one says.
        vectors: a row of unit length an example; that of training and of the test split.
    """

    train: int
    ids: Array
    same: Copies
    vectors: Any


def together(train: Split, test: Split) -> Together:
    """Return both splits as one, and which rows say the same."""
    same = leaks.same_rows([train, test], leaks.MOST)
    ids, vectors = np.concatenate([train.ids, test.ids]), fingerprints.vectors([train.examples, test.examples])
    return Together(len(train.ids), ids, same, vectors)


def findings_of(
    plan: DiagnosisPlan,
    rows: Together,
    scores: Scores | None,
    wrong: WrongLabels | None,
    manifest: Manifest,
    train: Split,
) -> Findings:
    """Return what was found; without ``scores`` what needs no training.

    Args:
        plan: of the diagnosis.
        rows: both splits.
        scores: of the warm-up, in the order of training.
        wrong: of them, where there are classes.
        manifest: of the data.
        train: the training split.
    """
    duplicates = CopyCounts.of(leaks.numbers(rows.same, rows.train, leaks.MOST))
    apart, learnt = _shift(rows, train), _warm_up_findings(scores, wrong, manifest)
    classes = _classes(train.examples.target, manifest.classes, scores, wrong) if manifest.classes else []
    advice = _advice(_facts(apart, learnt, classes, manifest, plan.epochs))
    told = {"task": manifest.task, "warm_up": plan.warm_up, "metric": manifest.metric, "advice": advice}
    return Findings.of({**told, "duplicates": duplicates, "shift": apart, "classes": classes, **learnt})


def _shift(rows: Together, train: Split) -> ShiftFinding:
    """Return how far the pool is from the target set, or training from the test split."""
    own = rows.vectors[: rows.train]
    of, origin, other = "training", "test split", rows.vectors[rows.train :]
    if "target" in train.table.column_names:
        aimed = train.table["target"].to_numpy(zero_copy_only=False)
        of, origin, own, other = "pool", TARGET_SET, own[~aimed], own[aimed]
    told = shift(own, other)
    return ShiftFinding.of({"of": of, "from": origin, **asdict(told), "rows": list(told.rows)})


class WarmUpFindings(TypedDict, total=False):
    """What a warm-up shows, as far as there is one."""

    gradient: GradientFinding
    pace: PaceFinding
    wrong_labels: WrongLabelsFinding


def _warm_up_findings(scores: Scores | None, wrong: WrongLabels | None, manifest: Manifest) -> WarmUpFindings:
    """Return what the warm-up shows of all examples together."""
    told: WarmUpFindings = {}
    if scores is not None:
        size = concentration(signal(scores, classes=bool(manifest.classes)))
        shares = {f"{share:g}": part for share, part in size.shares.items()}
        told["gradient"] = GradientFinding(effective_sample_size=size.sample_size, shares=shares)
    if scores is not None and manifest.classes:
        told["pace"] = PaceFinding.of(asdict(pace(scores)))
    if wrong is not None:
        told["wrong_labels"] = WrongLabelsFinding(rate=wrong.rate, suspects=len(wrong.suspects))
    return told


def _classes(label: Array, names: list[str], scores: Scores | None, wrong: WrongLabels | None) -> list[ClassFinding]:
    sizes = np.bincount(label, minlength=len(names))
    told = [ClassFinding(name=n, rows=int(size)) for n, size in zip(names, sizes, strict=True)]
    if scores is None or wrong is None:
        return told
    learnt = zip(told, paces(scores, label, len(names)), wrong.rates, strict=True)
    return [
        one.model_copy(update={"right": own.early + own.late, **asdict(own), "wrong_labels": float(rate)})
        for one, own, rate in learnt
    ]


def _facts(apart: ShiftFinding, learnt: WarmUpFindings, classes: list[ClassFinding], manifest: Manifest, epochs: int) -> Facts:
    """Return what advice is made of."""
    sizes = [c.rows for c in classes]
    gradient, wrong = learnt.get("gradient"), learnt.get("wrong_labels")
    return Facts(
        examples=manifest.counts.train,
        epochs=epochs,
        sample_size=gradient.effective_sample_size if gradient else None,
        wrong_labels=wrong.rate if wrong else None,
        imbalance=max(sizes) / max(1, min(sizes)) if sizes else None,
        by_class=manifest.metric in BY_CLASS,
        apart=apart.auc if apart.other == TARGET_SET else None,
    )


def _advice(facts: Facts) -> Advice:
    return Advice.of(asdict(recommend(facts)))
