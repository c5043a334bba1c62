"""Results of a run for the report: plans, tables, prepared data; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.arrays import Array
from components.epoch_records import EpochRecord
from pipelines.config.plans import MethodPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import check_origin, plan_of, result
from pipelines.core.errors import UserError
from pipelines.core.tables import read_table
from pipelines.costs.history import history_of
from pipelines.data.manifest import LabelScale, Manifest

#: Methods that select without looking at examples.
BLIND = ("full", "uniform", "short")


@dataclass(frozen=True)
class Run:
    """Results of one method's run; each file is read on first use.

    Attributes:
        name: the method's block in params.yaml.
        data: hash of the data that the results must come from; None for any.
        root: folder of the run.
    """

    name: str
    data: str | None = None
    root: Path = artifacts.HERE

    @cached_property
    def kind(self) -> str:
        """The method's class; for a stack, all classes joined by ``+``."""
        return "+".join(member.method for member in MethodPlan.read(self.root / plan_of("methods", self.name)).members)

    @property
    def history(self) -> list[EpochRecord]:
        """The epochs' records, after those of the warm-up if training continued from it."""
        return history_of(self.root / result("train", self.name, "history.json"))

    @cached_property
    def ledger(self) -> dict[str, Array]:
        """The ledger's columns, ``(N,)`` each, in the order of the training split."""
        return self._table(self.root / result("train", self.name, "ledger.parquet"))

    @cached_property
    def subset(self) -> dict[str, Array]:
        """The columns of the subset that training started from, best example first."""
        return self._table(self.root / result("subset", self.name, "subset.parquet"))

    @cached_property
    def scores(self) -> dict[str, Array]:
        """The score table of the method's warm-up, in the order of the training split."""
        warm_up = MethodPlan.read(self.root / plan_of("methods", self.name)).warm_up
        return self._table(self.root / result("warm_up", warm_up, "scores.parquet"))

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """The model's predictions on the test split."""
        return self._table(self.root / result("evaluate", self.name, "predictions.parquet"))

    def _table(self, path: Path) -> dict[str, Array]:
        """Return the columns of a table.

        Raises:
            UserError: if it was made from other data.
        """
        columns, facts = read_table(path)
        check_origin(path, facts, {} if self.data is None else {"data": self.data})
        return columns

    @cached_property
    def in_subset(self) -> Array:
        """Mask ``(N,)`` bool of the training examples in the subset."""
        return np.isin(self.ledger["id"], self.subset["id"])

    @cached_property
    def selected_by(self) -> str | None:
        """The column of the score table that has the subset's scores.

        None if the subset is everything, or has scores of its own.
        """
        score = self.subset["score"]
        if len(score) == len(self.scores["id"]) or not np.ptp(score):
            return None
        index = indices_of(self.scores["id"], self.subset["id"])
        columns = {k: v for k, v in self.scores.items() if k != "id" and v.ndim == 1}
        return next((k for k, v in columns.items() if np.array_equal(v[index].astype(np.float32), score)), None)


def indices_of(ids: Array, wanted: Array) -> Array:
    """Return the index in ``ids`` ``(N,)`` of each of ``wanted`` ``(M,)``; none may be missing."""
    order = np.argsort(ids)
    found: Array = order[np.searchsorted(ids, wanted, sorter=order)]
    return found


def prepared(split: str, root: Path = artifacts.HERE) -> pa.Table:
    """Return a prepared split of the run in ``root``, memory-mapped.

    Raises:
        UserError: if it is missing or truncated.
    """
    path = root / artifacts.PREPARED / f"{split}.arrow"
    try:
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}; run 'dvc repro -f prepare'") from None


def label_of(manifest: Manifest, label: float | Sequence[float]) -> str:
    """Return the name of a label: its class, the names of several, or the number or numbers in their original unit."""
    if isinstance(label, Sequence) and manifest.label_scales:
        numbers = zip(manifest.label_scales, label, strict=True)
        return ", ".join(f"{scale.name} {_in_unit(value, scale)}" for scale, value in numbers)
    if isinstance(label, Sequence):
        return ", ".join(name for name, has in zip(manifest.labels, label, strict=True) if has) or "none"
    if manifest.classes:
        return manifest.classes[int(label)]
    return _in_unit(label, manifest.label_scale or LabelScale(mean=0.0, deviation=1.0))


def _in_unit(value: float, scale: LabelScale) -> str:
    return f"{value * scale.deviation + scale.mean:,.4g}"
