"""A study, end to end: killed and gone on with, extended, asked for twice, and refused."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipelines.core.artifacts import read_json
from pipelines.core.locks import alone
from pipelines.core.tables import read_table
from pipelines.trials.study_tables import StudyTables
from tests.conftest import ROOT
from tests.pipelines.study.digits import CELLS, finish, marks, project, start, write

#: What holds timings, or is made of them.
TIMED = ("cost", "account")


def found(folder):
    """Return all that decides a study's tables and all that it was made from, by file; timings aside."""
    (study,) = (folder / ".winnow/study").iterdir()
    files = [p.relative_to(study) for p in study.glob("seed-*/results/**/*") if p.is_file()]
    return {p: (study / p).read_bytes() for p in files if p.parts[2] not in TIMED}


@pytest.mark.slow
def test_the_tables_hold_every_cell(studied):
    results = studied / "results/study/digits"
    written = read_json(results / "study.json")
    assert StudyTables.of(written).dumped() == written
    assert len(written["cells"]) == CELLS
    assert not any(row["error"] for row in written["cells"])
    assert written["columns"] == ["full", "uniform", "short", "swiftlearn", "infobatch"]
    assert {c["seeds"] for c in written["summary"].values()} == {2}
    assert all(c["deviation"] is not None for c in written["summary"].values())
    full = [r for r in written["cells"] if r["cell"] == "full"]
    assert [r["time_measured"] for r in full] == [1.0, 1.0]
    assert [r["agot"] for r in full] == [pytest.approx(1)] * 2
    assert len((results / "cells.csv").read_text().splitlines()) == CELLS + 1
    assert len((results / "study.csv").read_text().splitlines()) == 1 + 4
    assert (results / "metric_against_time.png").read_bytes().startswith(b"\x89PNG")
    heads, *lines = (results / "table.csv").read_text().splitlines()
    assert heads.split(",")[1:] == written["columns"]
    assert [line.split(",")[0] for line in lines] == ["mean", "deviation", "rank"]


@pytest.mark.slow
def test_the_report_shows_its_tables_in_a_browser(studied, tmp_path, browse):
    path = studied / "results/study/digits/report.html"
    page = browse(f"file://{path}", tmp_path, "--dump-dom")
    written = read_json(studied / "results/study/digits/study.json")
    for column in written["columns"]:
        assert f'<th scope="col">{column}</th>' in page
    assert f">{written['summary']['swiftlearn']['mean']:.4f} ± " in page
    # The verdict, against time, the best trials' learning curves, and those of the one method that has two trials.
    assert page.count("<svg") == 4
    for title in ("Learning curves", "Trained, by class", "Accuracy, by class"):
        assert f"<h2>{title}</h2>" in page
    browse(f"file://{path}", tmp_path, f"--screenshot={tmp_path / 'report.png'}")
    assert len((tmp_path / "report.png").read_bytes()) > 20_000


@pytest.mark.slow
def test_a_cell_is_what_dvc_makes_of_its_block(studied, finished_copy):
    for name, trial in (("full", "full"), ("swiftlearn", "swiftlearn-0.3")):
        (folder,) = studied.glob(".winnow/study/*/seed-0/results")
        for stage, file in (("subset", "subset.parquet"), ("train", "ledger.parquet"), ("evaluate", "predictions.parquet")):
            mine, theirs = (read_table(p / stage / n / file) for p, n in ((folder, trial), (finished_copy / "results", name)))
            # Its facts hold the hash of the model's weights, and with it every bit of them.
            assert mine[1] == theirs[1]
            assert mine[0].keys() == theirs[0].keys()


@pytest.mark.slow
def test_a_second_call_does_nothing_and_a_wider_one_only_what_is_new(studied, tmp_path, prefect_home):
    folder = Path(shutil.copytree(studied, tmp_path / "project", symlinks=True))
    before, begun = marks(folder), time.monotonic()
    table = (folder / "results/study/digits/study.csv").read_bytes()
    said = finish(start(folder, **prefect_home))
    assert time.monotonic() - begun < 60
    assert "nothing had changed" in said
    assert "mean rank" in said
    assert marks(folder) == before
    assert (folder / "results/study/digits/study.csv").read_bytes() == table
    write(folder, methods={"infobatch": "none", "swiftlearn": "two-epochs"}, fractions=[0.3, 0.5, 0.1], seeds=[0, 1])
    assert "6 of 26 trials to run" in finish(start(folder, **prefect_home))
    assert before.items() <= marks(folder).items()


@pytest.mark.slow
def test_stopped_and_killed_it_goes_on_and_ends_with_the_same_cells(studied, tmp_path, prefect_home):
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    folder = project(tmp_path / "project")
    for cells_before, number in ((3, signal.SIGTERM), (12, signal.SIGKILL)):
        process = start(folder, WINNOW_CHECKPOINT_SECONDS="0", **prefect_home)
        while len([m for m in marks(folder) if m.name.startswith("evaluate")]) < cells_before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        assert process.poll() is None, f"seed {seed}: too quick to be stopped"
        process.send_signal(number)
        said = finish(process, 130 if number == signal.SIGTERM else -number)
        assert "Traceback" not in said, f"seed {seed}"
        assert ("study: stopped; the next call goes on from here" in said) == (number == signal.SIGTERM), f"seed {seed}"
    said = finish(start(folder, **prefect_home))
    left = int(said.split("winnow study: ")[1].split(" of ")[0])
    assert 0 < left <= CELLS - 12, f"seed {seed}"
    assert found(folder) == found(studied), f"seed {seed}"


def test_two_studies_at_once_are_one_too_many(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("task: x\n")
    monkeypatch.chdir(tmp_path)
    with alone("study"):
        process = start(tmp_path, PYTHONPATH=str(ROOT))
        assert f"study is already running in {Path.cwd()} (pid {os.getpid()})" in finish(process, 2)


def test_bad_input_is_one_line_and_exit_2(tmp_path):
    write(tmp_path, seeds=[])
    said = finish(start(tmp_path, PYTHONPATH=str(ROOT)), 2)
    assert said.startswith("winnow study: params.yaml: study: seeds: must name one or more")
    assert said.count("\n") == 1
    assert not (tmp_path / "results").exists()
