"""Section of examples scored highest and lowest, with the distribution and the cut."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from components.arrays import Array
from pipelines.data.manifest import Manifest
from pipelines.report.data_charts import Scores, histograms
from pipelines.report.page import NOTHING, Section, Table, drawing
from pipelines.report.run_results import BLIND, Run, indices_of, label_of, prepared

#: Examples from either end, and characters of a text.
SHOWN, LONGEST = 10, 200


def of_comparison(runs: Sequence[Run], manifest: Manifest) -> list[Section]:
    """Return the sections on the scores of the methods' ``runs``."""
    return [_distribution(runs), *_extremes(runs, manifest)]


def _distribution(runs: Sequence[Run]) -> Section:
    """Return the section with a histogram for every method that took a subset by a score."""
    scored = [run for run in runs if run.selected_by]
    others = [run.name for run in runs if not run.selected_by]
    text = [f"No subset by a column of the score table, and so no cut: {', '.join(others)}."] if others else []
    if not scored:
        return Section("Scores, and the cut", text)
    found = [Scores(f"{r.name}: {r.selected_by}", _by_ledger(r, r.scores[r.selected_by or ""]), r.in_subset) for r in scored]
    caption = "Histogram of the score that each subset was taken by, over all training examples: kept on top of left out."
    caption += " The dashed line is the lowest score kept, where every score above it was kept."
    return Section("Scores, and the cut", text, figures=[drawing(histograms(found), "scores", caption)])


def _by_ledger(run: Run, column: Array) -> Array:
    """Return a column of the score table in the order of the ledger."""
    found: Array = column[indices_of(run.scores["id"], run.ledger["id"])].astype(np.float64)
    return found


@dataclass(frozen=True)
class Ranking:
    """All training examples by a method's own score: their places, highest first, and how each score is told."""

    by: str
    order: Array
    score: Array


def ranking(run: Run) -> Ranking | None:
    """Return how a method ranked all examples: by the score of its subset, else by how often it trained on each.

    Of those trained on equally often, the one whose last loss was higher comes first. None for a method that draws blindly.
    """
    if run.kind in BLIND:
        return None
    if run.selected_by:
        score = _by_ledger(run, run.scores[run.selected_by])
        return Ranking(f"{run.selected_by}, by which its subset was taken", np.argsort(-score, kind="stable"), score)
    trained, loss = run.ledger["trained"], np.nan_to_num(run.ledger["loss"].astype(np.float64))
    by = "how often it was trained on, of equals by the loss last seen"
    return Ranking(by, np.lexsort((-loss, -trained)), trained)


def _extremes(runs: Sequence[Run], manifest: Manifest) -> list[Section]:
    table, sections = prepared("train"), []
    for run in runs:
        if ranked := ranking(run):
            most, least = ranked.order[:SHOWN], ranked.order[::-1][:SHOWN]
            shown = _strips if manifest.kind == "image" else _lines
            text = [f"The first and the last {SHOWN} of {len(ranked.order):,}, by {ranked.by}. {_cut(manifest)}"]
            told = shown(table, ranked, {"most": most, "least": least}, manifest)
            sections.append(Section(f"{run.name}: the most and the least important examples", text, told))
    return sections


def _cut(manifest: Manifest) -> str:
    """Return what is not shown of an example."""
    told = {"text": f"Texts are cut after {LONGEST} characters.", "table": "Rows are told by their id."}
    return told.get(manifest.kind, "")


def _lines(table: pa.Table, ranked: Ranking, ends: dict[str, Array], manifest: Manifest) -> Table:
    """Return a row an example."""
    rows = []
    for end, indices in ends.items():
        for rank, index in enumerate(indices, 1):
            head = [f"{end} {rank}", str(table["id"][index]), _label(table, index, manifest), _score(ranked.score[index])]
            rows.append([*head, _text(table, index, manifest)])
    return Table(["", "id", "label", "score", "example"], rows, prose=frozenset({4}))


def _strips(table: pa.Table, ranked: Ranking, ends: dict[str, Array], manifest: Manifest) -> Table:
    """Return a column an example, with its picture."""
    rows: list[list[str]] = []
    shape = shape_of(manifest)
    for end, indices in ends.items():
        rows.append([f"{end} important", *(picture(table["pixels"][p].values.to_numpy(), shape) for p in indices)])
        rows.append(["label", *(_label(table, p, manifest) for p in indices)])
        rows.append(["score", *(_score(ranked.score[p]) for p in indices)])
        rows.append(["id", *(str(table["id"][p]) for p in indices)])
    return Table(["", *(str(i + 1) for i in range(max(map(len, ends.values()))))], rows)


def _label(table: pa.Table, index: int, manifest: Manifest) -> str:
    return label_of(manifest, table["label"][index].as_py()) if "label" in table.column_names else NOTHING


def _score(value: float) -> str:
    return f"{value:,}" if isinstance(value, np.integer) else f"{value:#.4g}"


def _text(table: pa.Table, index: int, manifest: Manifest) -> str:
    """Return an example's texts, or of a block of running text the document that it is of."""
    if manifest.kind == "language":
        return f"a block of document {table['document'][index]}"
    names = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    told = " / ".join(str(table[n][index]) for n in names) or NOTHING
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"


def shape_of(manifest: Manifest) -> list[int]:
    """Return the shape of a picture."""
    assert manifest.shape is not None, "the manifest of pictures"
    return manifest.shape


def picture(pixels: Array, shape: Sequence[int]) -> Markup:
    """Return an image element of ``pixels`` ``(C * H * W,)`` uint8, its PNG inside it."""
    from matplotlib.image import imsave

    rows, file = pixels.reshape(shape).transpose(1, 2, 0), BytesIO()
    colours = np.repeat(rows, 3, axis=2) if shape[0] == 1 else rows[..., :3]
    imsave(file, colours, format="png")
    return Markup('<img alt="" src="data:image/png;base64,{}">').format(base64.b64encode(file.getvalue()).decode())
