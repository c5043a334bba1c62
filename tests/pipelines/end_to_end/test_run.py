"""The main job, end to end: by DVC, by the flow, changed, and on texts."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from pipelines.core.tables import read_table
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from tests.pipelines.end_to_end.flow_runs import change, hashes, lock, start_flow, wait

pytestmark = pytest.mark.slow
CHANGED = {"plan", "subset@swiftlearn", "train@swiftlearn", "evaluate@swiftlearn", "account", "compare"}


def test_repro_in_another_folder_makes_the_same_bytes(finished_copy, copy_of_finished, run_in):
    for name in ("dvc.lock", "results", ".winnow", ".dvc/cache", ".dvc/tmp"):
        run_in(copy_of_finished, "rm", "-rf", name)
    run_in(copy_of_finished, "dvc", "repro")
    assert hashes(copy_of_finished) == hashes(finished_copy)
    assert len(hashes(finished_copy)) > 15


def test_the_comparison_adds_up(finished_copy):
    rows = {r["method"]: r for r in json.loads((finished_copy / "results/compare/comparison.json").read_text())["rows"]}
    full, swiftlearn = rows["full"], rows["swiftlearn"]
    assert full["time_counted"] == pytest.approx(1)
    assert full["time_measured"] == pytest.approx(1)
    assert full["agot"] == pytest.approx(1)
    assert full["accuracy"] > 0.95
    examples = json.loads((finished_copy / "results/prepare/manifest.json").read_text())["counts"]["train"]
    assert swiftlearn["examples_trained"] == 2 * examples + 4 * round(0.3 * examples)
    assert swiftlearn["time_counted"] == pytest.approx(swiftlearn["examples_trained"] / (6 * examples))
    assert {r["energy_label"] for r in rows.values()} <= {"estimated", "measured"}
    account = json.loads((finished_copy / "results/account/account.json").read_text())
    spent = account["methods"]["swiftlearn"]["spent"]
    assert spent["total"]["cpu_seconds"] == pytest.approx(sum(spent[s]["cpu_seconds"] for s in ("warm_up", "subset", "train")))
    assert account["methods"]["swiftlearn"]["evaluate"]["cpu_seconds"] > 0
    assert account["prepare"]["cpu_seconds"] > 0
    assert (finished_copy / "results/compare/score_against_time.png").read_bytes()[:4] == b"\x89PNG"
    assert ">swiftlearn</th>" in (finished_copy / "results/compare/report.html").read_text()


def test_the_flow_finds_what_repro_made_fresh(copy_of_finished, prefect_home, run_in):
    before = (copy_of_finished / "dvc.lock").read_bytes()
    said = wait(start_flow(copy_of_finished, prefect_home))
    assert "nothing had changed" in said
    assert "swiftlearn" in said
    assert (copy_of_finished / "dvc.lock").read_bytes() == before


def test_mlflow_run_is_the_same_job(copy_of_finished, prefect_home, run_in):
    before = (copy_of_finished / "dvc.lock").read_bytes()
    done = run_in(copy_of_finished, "mlflow", "run", ".", "--env-manager", "local", **prefect_home)
    assert "nothing had changed" in done.stdout + done.stderr
    assert (copy_of_finished / "dvc.lock").read_bytes() == before
    with closing(sqlite3.connect(copy_of_finished / "mlflow.db")) as runs:
        names = [name for (name,) in runs.execute("SELECT name FROM runs")]
    assert {"digits comparison", "full", "swiftlearn"} <= set(names)


def test_the_flow_runs_what_a_change_made_stale_and_leaves_repro_nothing(copy_of_finished, prefect_home, run_in):
    before = lock(copy_of_finished)
    change(copy_of_finished, methods__swiftlearn__fraction=0.1)
    assert set(json.loads(run_in(copy_of_finished, "dvc", "status", "--json").stdout)) == {"plan"}
    wait(start_flow(copy_of_finished, prefect_home))
    after = lock(copy_of_finished)
    assert {name for name in after if after[name] != before[name]} == CHANGED
    assert json.loads(run_in(copy_of_finished, "dvc", "status", "--json").stdout) == {}
    assert "Running stage" not in run_in(copy_of_finished, "dvc", "repro").stdout


def test_data_edited_in_place_are_prepared_anew_and_a_file_beside_them_changes_nothing(copy_of_finished, run_in):
    folder, pets = copy_of_finished, copy_of_finished / "data/pets"
    for i in range(6):
        path = pets / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 40 * i).save(path)
    own = yaml.safe_load((folder / "params.yaml").read_text())["tasks"]["digits"]
    own |= {"source": {"from": "folder", "folder": "data/pets"}, "test": 2}
    change(folder, task="pets", tasks__pets=own)
    run_in(folder, "dvc", "repro", "prepare")
    first = hashes(folder)["results/prepare"]
    (pets.parent / "notes.txt").write_text("read by no task")
    assert "prepare" in json.loads(run_in(folder, "dvc", "status", "--json", "prepare").stdout)
    run_in(folder, "dvc", "repro", "prepare")
    assert hashes(folder)["results/prepare"] == first
    Image.new("L", (8, 8), 7).save(pets / "cat/1.png")
    run_in(folder, "dvc", "repro", "prepare")
    assert hashes(folder)["results/prepare"] != first
    assert json.loads(run_in(folder, "dvc", "status", "--json", "prepare").stdout) == {}


def test_the_flow_makes_the_bytes_that_repro_makes(finished_copy, copy_of_finished, prefect_home, run_in):
    for name in ("dvc.lock", "results", ".winnow", ".dvc/cache", ".dvc/tmp"):
        run_in(copy_of_finished, "rm", "-rf", name)
    wait(start_flow(copy_of_finished, prefect_home))
    assert hashes(copy_of_finished) == hashes(finished_copy)


def test_a_slice_of_the_movie_reviews_end_to_end(copy_of_finished, run_in):
    task = {"limit": 96, "test": 64, "training__epochs": 3, "training__threads": 1, "training__look_size": 64}
    change(copy_of_finished, task="movie-reviews", **{f"tasks__movie-reviews__{k}": v for k, v in task.items()})
    run_in(copy_of_finished, "dvc", "repro")
    rows = {r["method"]: r for r in json.loads((copy_of_finished / "results/compare/comparison.json").read_text())["rows"]}
    assert rows["full"]["examples_trained"] == 3 * 96
    assert rows["swiftlearn"]["examples_trained"] == 2 * 96 + 29
    assert {p.name for p in (copy_of_finished / "results/train/full/model").iterdir()} >= {"config.json", "tokenizer.json"}


def test_experiments_metrics_and_plots_are_dvcs(copy_of_finished, run_in):
    shown = run_in(copy_of_finished, "dvc", "metrics", "show", "--json").stdout
    assert "results/evaluate/full/metrics.json" in shown
    run_in(copy_of_finished, "git", "add", "--all")
    run_in(copy_of_finished, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "run")
    run_in(copy_of_finished, "dvc", "exp", "run", "-n", "tenth", "-S", "methods.swiftlearn.fraction=0.1")
    difference = json.loads(run_in(copy_of_finished, "dvc", "metrics", "diff", "--json").stdout)
    assert "results/evaluate/swiftlearn/metrics.json" in json.dumps(difference)
    run_in(copy_of_finished, "dvc", "plots", "show")
    assert list((copy_of_finished / "dvc_plots").rglob("*score_against_time*"))


def test_how_far_a_model_is_above_chance_is_what_numpy_makes_of_the_raw_files(copy_of_finished, monkeypatch):
    monkeypatch.chdir(copy_of_finished)
    learnt = read_split("train", Manifest.prepared()).examples.target
    columns, _ = read_table(Path("results/evaluate/full/predictions.parquet"))
    target, hits = columns["target"], columns["target"] == columns["predicted"]
    same = target == np.bincount(learnt).argmax()
    told = json.loads(Path("results/evaluate/full/metrics.json").read_text())
    assert told["chance_accuracy"] == same.mean()
    gain = hits.astype(float) - same
    assert told["above_chance"] == pytest.approx(gain.mean() - 2 * gain.std(ddof=1) / len(gain) ** 0.5)
    assert told["above_chance"] > 0.8
