"""diagnose: finds wrong labels, duplicates and shift in the data, and recommends a method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from components.costs.clock import Clock
from components.diagnosis.measures import Scores, WrongLabels, agreeing, wrong_labels
from pipelines.config.plan_freshness import check_plan
from pipelines.config.plans import DiagnosisPlan, WarmUpPlan
from pipelines.core import artifacts, tables
from pipelines.core.artifacts import DIAGNOSIS, plan_of, result
from pipelines.core.command import main
from pipelines.costs.records import CostRecord
from pipelines.data.findings import measured
from pipelines.data.findings.measured import Together
from pipelines.data.findings.records import Copy, Example, Suspect
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split, read_split
from pipelines.report import diagnosis, page
from pipelines.report.run_results import label_of

#: Number of suspects with nearest agreeing examples and written pictures.
SHOWN = 200


def diagnose() -> None:
    """Write the findings: numbers, tables of suspects and duplicates, and a report page."""
    clock = Clock()
    with clock.lap("diagnose"):
        plan, manifest = DiagnosisPlan.read(plan_of("diagnosis")), Manifest.prepared()
        train, test = read_split("train", manifest), read_split("test", manifest)
        scores = _scores(plan.warm_up, manifest, train)
        wrong = wrong_labels(scores, train.examples.target) if scores is not None and manifest.classes else None
        rows = measured.together(train, test)
        findings = measured.findings_of(plan, rows, scores, wrong, manifest, train)
        suspects = _suspects(wrong, rows, train, manifest) if wrong is not None else []
        copies = _copies(rows)

    def fill(folder: Path) -> None:
        findings.write(folder / "diagnosis.json")
        artifacts.write_csv(folder / "suspects.csv", [s.columns() for s in suspects], SUSPECT)
        artifacts.write_csv(folder / "duplicates.csv", [c.columns() for c in copies], COPY)
        if manifest.kind == "image":
            _write_pictures(folder / "suspects", suspects[:SHOWN], train, manifest)
        page.write(folder / "report.html", diagnosis.page(findings, suspects, manifest))

    artifacts.write_folder(DIAGNOSIS, fill)
    CostRecord.timed(clock).write(artifacts.cost_of("diagnose"))
    diagnosis.show(findings)


#: The columns of each table.
SUSPECT = ("id", "example", "given", "likely", "sure", "agreeing", "verdict")
COPY = ("id", "split", "same_as", "same_as_split", "exact")


def _scores(warm_up: str, manifest: Manifest, train: Split) -> Scores | None:
    """Return the warm-up's score table, in the order of the training split; None if it trained nothing."""
    planned = WarmUpPlan.read(plan_of("warm_ups", warm_up))
    if not planned.epochs:
        return None
    path = result("warm_up", warm_up, "scores.parquet")
    columns, facts = tables.read_table(path)
    artifacts.check_origin(path, facts, {"data": manifest.content, "warm_up": planned.dumped()})
    assert np.array_equal(columns["id"], train.ids), "a score table has the order of the training split"
    return columns


def _suspects(wrong: WrongLabels, rows: Together, train: Split, manifest: Manifest) -> list[Suspect]:
    """Return the suspects, surest first, each with its nearest examples that have the likely label."""
    label = train.examples.target
    trusted = np.ones(len(label), bool)
    trusted[wrong.suspects] = False
    trusted &= wrong.likely == label
    near = agreeing(rows.vectors[: rows.train], wrong.suspects[:SHOWN].tolist(), wrong.likely, trusted, label)
    near += [[]] * (len(wrong.suspects) - len(near))
    return [
        Suspect(
            example=_example(train, int(row), manifest),
            given=label_of(manifest, label[row]),
            likely=label_of(manifest, wrong.likely[row]),
            sure=float(wrong.sure[row]),
            near=[_example(train, i, manifest) for i in like],
        )
        for row, like in zip(wrong.suspects, near, strict=True)
    ]


def _example(train: Split, row: int, manifest: Manifest) -> Example:
    return Example(int(train.ids[row]), row, _example_text(train.table, row, manifest))


def _example_text(table: pa.Table, row: int, manifest: Manifest) -> str:
    """Return an example's texts, or the file of its picture; nothing for a table's row."""
    if manifest.kind == "image":
        return f"suspects/{table['id'][row]}.png"
    names = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return " / ".join(str(table[name][row]) for name in names)


def _copies(rows: Together) -> list[Copy]:
    """Return each duplicate with its original: an earlier example, in training if one is there."""
    split, same = ["train" if row < rows.train else "test" for row in range(len(rows.ids))], rows.same
    return [
        Copy(int(rows.ids[i]), split[i], int(rows.ids[same.of[i]]), split[same.of[i]], bool(same.exact[i]))
        for i in np.flatnonzero(same.exact | same.near)
    ]


def _write_pictures(folder: Path, suspects: list[Suspect], train: Split, manifest: Manifest) -> None:
    """Write the pictures of the suspects and of their nearest examples, named by id."""
    from matplotlib.image import imsave

    folder.mkdir()
    for example in [s.example for s in suspects] + [n for s in suspects for n in s.near]:
        pixels = train.table["pixels"][example.row].values.to_numpy().reshape(manifest.shape).transpose(1, 2, 0)
        colours = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
        imsave(folder / f"{example.id}.png", np.ascontiguousarray(colours))


if __name__ == "__main__":
    main("diagnose", diagnose, before=check_plan)
