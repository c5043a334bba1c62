"""Results of a run for the report: plans, tables, prepared data; without torch."""

from __future__ import annotations

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

#: Methods that look at no example before they draw or stop.
BLIND = ("full", "uniform", "short")


@dataclass(frozen=True)
class Run:
    """One method's run, each part of it read when it is asked for.

    Attributes:
        name: of the method's block in params.yaml.
        data: the hash of the data that it must have been made from; None for any.
        root: the folder of the run.
    """

    name: str
    data: str | None = None
    root: Path = artifacts.HERE

    @cached_property
    def kind(self) -> str:
        """The class that the block sets; of a stack, all of them."""
        return "+".join(member.method for member in MethodPlan.read(self.root / plan_of("methods", self.name)).members)

    @property
    def history(self) -> list[EpochRecord]:
        """The epochs' records, those of the warm-up first where training went on from it."""
        return history_of(self.root / result("train", self.name, "history.json"))

    @cached_property
    def ledger(self) -> dict[str, Array]:
        """The columns of the ledger, ``(N,)`` each, in the order of the training split."""
        return self._table(self.root / result("train", self.name, "ledger.parquet"))

    @cached_property
    def subset(self) -> dict[str, Array]:
        """The columns of the subset that training started from, best first."""
        return self._table(self.root / result("subset", self.name, "subset.parquet"))

    @cached_property
    def scores(self) -> dict[str, Array]:
        """The score table of the method's warm-up, in the order of the training split."""
        warm_up = MethodPlan.read(self.root / plan_of("methods", self.name)).warm_up
        return self._table(self.root / result("warm_up", warm_up, "scores.parquet"))

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """What the model says of the test split."""
        return self._table(self.root / result("evaluate", self.name, "predictions.parquet"))

    def _table(self, path: Path) -> dict[str, Array]:
        """Return the columns of a table.

        Raises:
            UserError: where it was made from other data.
        """
        columns, facts = read_table(path)
        check_origin(path, facts, {} if self.data is None else {"data": self.data})
        return columns

    @cached_property
    def in_subset(self) -> Array:
        """``(N,)`` bool, which of the training split are in the subset."""
        return np.isin(self.ledger["id"], self.subset["id"])

    @cached_property
    def selected_by(self) -> str | None:
        """The column of the score table that the subset's scores are; None where it keeps all, or scores by none of them."""
        score = self.subset["score"]
        if len(score) == len(self.scores["id"]) or not np.ptp(score):
            return None
        index = indices_of(self.scores["id"], self.subset["id"])
        columns = {k: v for k, v in self.scores.items() if k != "id" and v.ndim == 1}
        return next((k for k, v in columns.items() if np.array_equal(v[index].astype(np.float32), score)), None)


def indices_of(ids: Array, wanted: Array) -> Array:
    """Return where in ``ids`` ``(N,)`` each of ``wanted`` ``(M,)`` is; all of them are there."""
    order = np.argsort(ids)
    found: Array = order[np.searchsorted(ids, wanted, sorter=order)]
    return found


def prepared(split: str, root: Path = artifacts.HERE) -> pa.Table:
    """Return the prepared ``split`` of the run in the folder ``root``, memory-mapped.

    Raises:
        UserError: where it is missing or not whole.
    """
    path = root / artifacts.PREPARED / f"{split}.arrow"
    try:
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read: {error}; run 'dvc repro -f prepare'") from None


def label_of(manifest: Manifest, label: float) -> str:
    """Return what a label is called: its class where it is the place of one, or the number itself in its own unit."""
    if manifest.classes:
        return manifest.classes[int(label)]
    scale = manifest.label_scale or LabelScale(mean=0.0, deviation=1.0)
    return f"{label * scale.deviation + scale.mean:,.4g}"
