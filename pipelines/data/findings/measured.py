"""Measures of a diagnosis, from prepared data and a score table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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
    """Both splits together, N training rows first, then M test rows.

    Attributes:
        train: number of training rows.
        ids: ``(N + M,)``.
        same: which rows repeat an earlier one.
        vectors: one row of unit length per example.
    """

    train: int
    ids: Array
    same: Copies
    vectors: Any


def together(train: Split, test: Split) -> Together:
    """Return both splits together, with their duplicates and feature vectors."""
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
    """Return the findings; without ``scores`` only those that need no training.

    Args:
        plan: of the diagnosis.
        rows: both splits.
        scores: of the warm-up, in the order of the training split.
        wrong: labels by the scores; None without classes or scores.
        manifest: of the data.
        train: the training split.
    """
    duplicates = CopyCounts.of(leaks.numbers(rows.same, rows.train, leaks.MOST))
    apart, learnt = _shift(rows, train), _warm_up_findings(scores, wrong, manifest)
    classes = _classes(train.examples.target, manifest.classes, scores, wrong) if manifest.classes else []
    advice = _advice(replace(_facts(apart, learnt, classes, manifest, plan.epochs), weighed=plan.weighed))
    head = {"task": manifest.task, "warm_up": plan.warm_up, "metric": manifest.metric, "advice": advice}
    return Findings.of({**head, "duplicates": duplicates, "shift": apart, "classes": classes, **learnt})


def _shift(rows: Together, train: Split) -> ShiftFinding:
    """Return the shift between the pool and the target set, or training and the test split."""
    own = rows.vectors[: rows.train]
    of, origin, other = "training", "test split", rows.vectors[rows.train :]
    if "target" in train.table.column_names:
        aimed = train.table["target"].to_numpy(zero_copy_only=False)
        of, origin, own, other = "pool", TARGET_SET, own[~aimed], own[aimed]
    found = shift(own, other)
    return ShiftFinding.of({"of": of, "from": origin, **asdict(found), "rows": list(found.rows)})


class WarmUpFindings(TypedDict, total=False):
    """Findings from a warm-up's scores, if there are any."""

    gradient: GradientFinding
    pace: PaceFinding
    wrong_labels: WrongLabelsFinding


def _warm_up_findings(scores: Scores | None, wrong: WrongLabels | None, manifest: Manifest) -> WarmUpFindings:
    """Return the findings from the warm-up's scores over all examples."""
    findings: WarmUpFindings = {}
    if scores is not None:
        size = concentration(signal(scores, classes=bool(manifest.classes)))
        shares = {f"{share:g}": part for share, part in size.shares.items()}
        findings["gradient"] = GradientFinding(effective_sample_size=size.sample_size, shares=shares)
    if scores is not None and manifest.classes:
        findings["pace"] = PaceFinding.of(asdict(pace(scores)))
    if wrong is not None:
        findings["wrong_labels"] = WrongLabelsFinding(rate=wrong.rate, suspects=len(wrong.suspects))
    return findings


def _classes(label: Array, names: list[str], scores: Scores | None, wrong: WrongLabels | None) -> list[ClassFinding]:
    sizes = np.bincount(label, minlength=len(names))
    found = [ClassFinding(name=n, rows=int(size)) for n, size in zip(names, sizes, strict=True)]
    if scores is None or wrong is None:
        return found
    learnt = zip(found, paces(scores, label, len(names)), wrong.rates, strict=True)
    return [
        one.model_copy(update={"right": own.early + own.late, **asdict(own), "wrong_labels": float(rate)})
        for one, own, rate in learnt
    ]


def _facts(apart: ShiftFinding, learnt: WarmUpFindings, classes: list[ClassFinding], manifest: Manifest, epochs: int) -> Facts:
    """Return the inputs of the recommendation."""
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
