"""Repeated rows within training, and between test and training (leaks)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from components.arrays import Array
from components.diagnosis.duplicates import Copies, copies
from components.rng import stream
from pipelines.config.plans import TaskPlan
from pipelines.core.errors import UserError
from pipelines.data.split_files import Split

#: Rows searched for near duplicates by default, some seconds of work; of more rows, a random part is searched.
COUNTED = 10_000
#: The same if leaks are refused or dropped, and in a diagnosis.
MOST = 200_000


def same_rows(splits: Sequence[Split], most: int) -> Copies:
    """Return the duplicates over all ``splits``; near ones are searched among at most ``most`` rows."""
    from components.diagnosis import fingerprints

    examples = [split.examples for split in splits]
    digests = np.concatenate([fingerprints.digests(e) for e in examples])
    among = np.sort(stream(0, "near duplicates").permutation(len(digests))[:most])
    return copies(digests, among, fingerprints.shingles(examples, among), partial(fingerprints.agree, examples))


def numbers(found: Copies, train: int, most: int) -> dict[str, int]:
    """Return counts of duplicates within training, the first ``train`` rows, and of test rows in training."""
    own = np.arange(len(found.of)) < train
    leaked = ~own & (found.of < train)
    which = {"train_exact": own & found.exact, "train_near": own & found.near}
    which |= {"leaked_exact": leaked & found.exact, "leaked_near": leaked & found.near}
    return {**{name: int(rows.sum()) for name, rows in which.items()}, "sought": min(most, len(found.of))}


def leaking(found: Copies, train: int) -> Array:
    """Return the positions in training of all rows that are repeated in the test split."""
    first = np.unique(found.of[train:])
    return np.flatnonzero(np.isin(found.of[:train], first[first < train]))


def look_at_all(splits: Mapping[str, Split], task: TaskPlan) -> tuple[dict[str, int], Array]:
    """Return the counts of duplicates, and the source ids of the training rows to drop, for all splits that judge.

    Raises:
        UserError: if the task refuses leaks and there are any.
    """
    counts, rows = look(splits["train"], splits["test"], task)
    if "validation" in splits:
        found, more = look(splits["train"], splits["validation"], task, "validation")
        counts |= {f"validation_{kind}": found[f"leaked_{kind}"] for kind in ("exact", "near")}
        rows = np.union1d(rows, more)
    return counts, rows


def look(train: Split, test: Split, task: TaskPlan, name: str = "test") -> tuple[dict[str, int], Array]:
    """Return the counts of duplicates, and the source ids of the training rows to drop; errors call the split ``name``.

    Raises:
        UserError: if the task refuses leaks and there are any.
    """
    most = COUNTED if task.leaks == "report" else MOST
    found = same_rows([train, test], most)
    counts, rows = numbers(found, len(train.ids), most), leaking(found, len(train.ids))
    if task.leaks == "refuse" and len(rows):
        tested = int(np.flatnonzero(found.of[len(train.ids) :] == found.of[rows[0]])[0])
        many = counts["leaked_exact"] + counts["leaked_near"]
        raise UserError(
            f"params.yaml: tasks.{task.name}.leaks: 'refuse', and {many:,} {name} row{'s are' if many > 1 else ' is'} in "
            f"training too ({counts['leaked_exact']:,} exactly), the first of them id {test.ids[tested]}, which repeats id "
            f"{train.ids[rows[0]]}; 'drop' trains without such rows"
        )
    return counts, _source_ids(train)[rows] if task.leaks == "drop" else rows[:0]


def _source_ids(train: Split) -> Array:
    """Return the ids in the source; a copy made by a regime has its original's id."""
    if "copy_of" not in train.table.column_names:
        return train.ids
    of = train.table["copy_of"].to_pandas().to_numpy(np.float64)
    return np.where(np.isnan(of), train.ids, np.nan_to_num(of)).astype(np.int64)


def without(train: Array, leaks: Array, task: TaskPlan) -> Array:
    """Return the ids of ``train`` that are not among the ``leaks``.

    Raises:
        UserError: if none is left.
    """
    left = train[~np.isin(train, leaks)]
    if not len(left):
        raise UserError(f"params.yaml: tasks.{task.name}.leaks: 'drop' leaves no training row: all are in the test split")
    return left
