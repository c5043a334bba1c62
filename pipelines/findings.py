"""What a diagnosis finds, as plain numbers: from the prepared data, and from the score table of its warm-up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from components import contents
from components.arrays import Array, stream
from components.comparison import BY_CLASS
from components.diagnosis import Scores, WrongLabels, concentration, pace, paces, signal
from components.duplicates import copies
from components.recommendation import Facts, recommend
from components.shift import shift
from pipelines.splits import Split

#: Rows among which near duplicates are sought at most; of more it is a random part.
MOST = 200_000


@dataclass(frozen=True)
class Together:
    """Both splits as one, training first.

    Attributes:
        train: how many rows are training's.
        ids: ``(N + M,)``.
        of: ``(N + M,)`` the place of the first row that says the same, or its own.
        exact: ``(N + M,)`` bool, whether it is the same to the byte.
        vectors: a row of unit length an example; that of training and of the test split.
        sought: rows among which near duplicates were sought.
    """

    train: int
    ids: Array
    of: Array
    exact: Array
    vectors: Any
    sought: int

    @property
    def copied(self) -> Array:
        """``(N + M,)`` bool, whether an earlier row says the same."""
        return np.asarray(self.of != np.arange(len(self.of)))


def together(train: Split, test: Split) -> Together:
    """Return both splits as one, and which rows say the same."""
    splits = [train.examples, test.examples]
    ids = np.concatenate([train.ids, test.ids])
    digests = np.concatenate([contents.digests(e) for e in splits])
    parts = [part for e in splits for part in contents.shingles(e)] if len(ids) <= MOST else _sampled(splits, len(ids))
    found = copies(digests, parts, partial(contents.agree, splits))
    return Together(len(train.ids), ids, found.of, found.exact, contents.vectors(splits), min(MOST, len(ids)))


def _sampled(splits: list[Any], rows: int) -> list[list[bytes]]:
    """Return the shingles of ``MOST`` rows, and of the others one that no other has."""
    chosen = np.zeros(rows, bool)
    chosen[stream(0, "near duplicates").permutation(rows)[:MOST]] = True
    every = (part for e in splits for part in contents.shingles(e))
    return [
        part if kept else [place.to_bytes(8, "little")] for place, (part, kept) in enumerate(zip(every, chosen, strict=True))
    ]


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
    told: dict[str, Any] = {"duplicates": _duplicates(rows), "shift": _shift(rows, train), "classes": []}
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


def _duplicates(rows: Together) -> dict[str, int]:
    train = np.arange(len(rows.ids)) < rows.train
    leaked = ~train & (rows.of < rows.train)
    found = {"train_exact": train & rows.exact, "train_near": train & rows.copied & ~rows.exact}
    found |= {"leaked_exact": leaked & rows.exact, "leaked_near": leaked & rows.copied & ~rows.exact}
    return {**{name: int(which.sum()) for name, which in found.items()}, "sought": rows.sought}


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
