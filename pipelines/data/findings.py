"""Findings of a diagnosis as numbers, from prepared data and a score table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.arrays import Array
from components.costs.comparison import BY_CLASS
from components.diagnosis import contents
from components.diagnosis.duplicates import Copies
from components.diagnosis.measures import Scores, WrongLabels, concentration, pace, paces, signal
from components.diagnosis.recommendation import Facts, recommend
from components.diagnosis.shift import shift
from pipelines.data import leaks
from pipelines.data.splits import Split


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
    found = leaks.same_rows([train, test], leaks.MOST)
    ids, vectors = np.concatenate([train.ids, test.ids]), contents.vectors([train.examples, test.examples])
    return Together(len(train.ids), ids, found, vectors)


def numbers(
    rows: Together, scores: Scores | None, wrong: WrongLabels | None, manifest: dict[str, Any], train: Split
) -> dict[str, Any]:
    """Return what was found, to be written; without ``scores`` what needs no training.

    Args:
        rows: both splits.
        scores: of the warm-up, in the order of training.
        wrong: of them, where there are classes.
        manifest: of the data.
        train: the training split.
    """
    told: dict[str, Any] = {
        "duplicates": leaks.numbers(rows.same, rows.train, leaks.MOST),
        "shift": _shift(rows, train),
        "classes": [],
    }
    if manifest["classes"]:
        told["classes"] = _classes(train.examples.target, manifest["classes"], scores, wrong)
    if scores is not None:
        size = concentration(signal(scores, classes=bool(manifest["classes"])))
        told["gradient"] = {"effective_sample_size": size.sample_size, "shares": {f"{k:g}": v for k, v in size.shares.items()}}
    if scores is not None and manifest["classes"]:
        told["pace"] = asdict(pace(scores))
    if wrong is not None:
        told["wrong_labels"] = {"rate": wrong.rate, "suspects": len(wrong.suspects)}
    return told


def _shift(rows: Together, train: Split) -> dict[str, Any]:
    """Return how far the pool is from the target set, or training from the test split."""
    own = rows.vectors[: rows.train]
    if "target" in train.table.column_names:
        aimed = train.table["target"].to_numpy(zero_copy_only=False)
        return {"of": "pool", "from": "target set", **asdict(shift(own[~aimed], own[aimed]))}
    return {"of": "training", "from": "test split", **asdict(shift(own, rows.vectors[rows.train :]))}


def _classes(label: Array, names: list[str], scores: Scores | None, wrong: WrongLabels | None) -> list[dict[str, Any]]:
    sizes = np.bincount(label, minlength=len(names))
    told: list[dict[str, Any]] = [{"name": n, "rows": int(size)} for n, size in zip(names, sizes, strict=True)]
    if scores is not None and wrong is not None:
        for c, (row, own) in enumerate(zip(told, paces(scores, label, len(names)), strict=True)):
            row |= {"right": own.early + own.late, **asdict(own), "wrong_labels": float(wrong.rates[c])}
    return told


def advised(told: dict[str, Any], manifest: dict[str, Any], epochs: int) -> dict[str, Any]:
    """Return what to run, by what was found."""
    sizes = [c["rows"] for c in told["classes"]]
    facts = Facts(
        examples=manifest["counts"]["train"],
        epochs=epochs,
        sample_size=told.get("gradient", {}).get("effective_sample_size"),
        wrong_labels=told.get("wrong_labels", {}).get("rate"),
        imbalance=max(sizes) / max(1, min(sizes)) if sizes else None,
        by_class=manifest["metric"] in BY_CLASS,
        apart=told["shift"]["auc"] if told["shift"]["from"] == "target set" else None,
    )
    return asdict(recommend(facts))
