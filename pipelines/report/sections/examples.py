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
from pipelines.report.page import NOTHING, Section, Table, drawing
from pipelines.report.run_results import BLIND, Run, indices_of, label_of, prepared
from pipelines.report.section_charts import Scores, histograms

#: Number of examples from either end, and the most characters shown of a text.
SHOWN, LONGEST = 10, 200


def of_comparison(runs: Sequence[Run], manifest: Manifest) -> list[Section]:
    """Return the sections on the scores of the methods' ``runs``."""
    return [_distribution(runs), *_extremes(runs, manifest)]


def _distribution(runs: Sequence[Run]) -> Section:
    """Return the section with a histogram for every method that chose its subset by a score."""
    scored = [run for run in runs if run.selected_by]
    others = [run.name for run in runs if not run.selected_by]
    text = [f"Not chosen by a column of the score table, so without a cut: {', '.join(others)}."] if others else []
    if not scored:
        return Section("Scores, and the cut", text)
    found = [Scores(f"{r.name}: {r.selected_by}", _by_ledger(r, r.scores[r.selected_by or ""]), r.in_subset) for r in scored]
    caption = "Histogram of the score that each subset was chosen by, over all training examples: kept on top of left out."
    caption += " The dashed line is the lowest kept score, if every score above it was kept."
    return Section("Scores, and the cut", text, figures=[drawing(histograms(found), "scores", caption)])


def _by_ledger(run: Run, column: Array) -> Array:
    """Return a column of the score table in the order of the ledger."""
    found: Array = column[indices_of(run.scores["id"], run.ledger["id"])].astype(np.float64)
    return found


@dataclass(frozen=True)
class Ranking:
    """All training examples ranked by a method's score.

    Attributes:
        by: name of the score.
        order: indices ``(N,)``, highest score first.
        score: shown with the examples, ``(N,)``.
    """

    by: str
    order: Array
    score: Array


def ranking(run: Run) -> Ranking | None:
    """Return a method's ranking of all examples; None for a method that draws blindly.

    It is by the score of the subset, else by the number of times that the method trained on each; ties go to the higher last
    loss.
    """
    if run.kind in BLIND:
        return None
    if run.selected_by:
        score = _by_ledger(run, run.scores[run.selected_by])
        return Ranking(f"{run.selected_by}, by which its subset was chosen", np.argsort(-score, kind="stable"), score)
    trained, loss = run.ledger["trained"], np.nan_to_num(run.ledger["loss"].astype(np.float64))
    by = "how often it was trained on, ties by the last loss"
    return Ranking(by, np.lexsort((-loss, -trained)), trained)


def _extremes(runs: Sequence[Run], manifest: Manifest) -> list[Section]:
    table, sections = prepared("train"), []
    for run in runs:
        if ranked := ranking(run):
            most, least = ranked.order[:SHOWN], ranked.order[::-1][:SHOWN]
            shown = _strips if manifest.kind == "image" else _lines
            text = [f"The first and the last {SHOWN} of {len(ranked.order):,}, by {ranked.by}. {_cut(manifest)}"]
            examples = shown(table, ranked, {"most": most, "least": least}, manifest)
            sections.append(Section(f"{run.name}: the most and the least important examples", text, examples))
    return sections


def _cut(manifest: Manifest) -> str:
    """Return a sentence on what is left out of each example."""
    texts = {"text": f"Texts are cut after {LONGEST} characters.", "table": "Rows are shown by their id."}
    return texts.get(manifest.kind, "")


def _lines(table: pa.Table, ranked: Ranking, ends: dict[str, Array], manifest: Manifest) -> Table:
    """Return a table with one row for each example."""
    rows = []
    for end, indices in ends.items():
        for rank, index in enumerate(indices, 1):
            head = [f"{end} {rank}", str(table["id"][index]), _label(table, index, manifest), _score(ranked.score[index])]
            rows.append([*head, _text(table, index, manifest)])
    return Table(["", "id", "label", "score", "example"], rows, prose=frozenset({4}))


def _strips(table: pa.Table, ranked: Ranking, ends: dict[str, Array], manifest: Manifest) -> Table:
    """Return a table with one column for each example, with its picture."""
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
    """Return an example's texts, or for a block of running text its document."""
    if manifest.kind == "language":
        return f"a block of document {table['document'][index]}"
    names = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    text = " / ".join(str(table[n][index]) for n in names) or NOTHING
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def shape_of(manifest: Manifest) -> list[int]:
    """Return the shape of an image, ``(C, H, W)``."""
    assert manifest.shape is not None, "the manifest of images"
    return manifest.shape


def picture(pixels: Array, shape: Sequence[int]) -> Markup:
    """Return an image element with ``pixels`` ``(C * H * W,)`` uint8 as embedded PNG."""
    from matplotlib.image import imsave

    rows, file = pixels.reshape(shape).transpose(1, 2, 0), BytesIO()
    colours = np.repeat(rows, 3, axis=2) if shape[0] == 1 else rows[..., :3]
    imsave(file, colours, format="png")
    return Markup('<img alt="" src="data:image/png;base64,{}">').format(base64.b64encode(file.getvalue()).decode())
