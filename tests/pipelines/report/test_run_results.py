"""What is read of a run for the report, the rankings and cuts made of it, and how an example is shown."""

import base64
import io
import re

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.image import imread

from pipelines import compare
from pipelines.core import artifacts, tables
from pipelines.core.errors import UserError
from pipelines.report.data_charts import Bar, Scores, bars, histograms
from pipelines.report.page import NOTHING, Section, render
from pipelines.report.run_results import Run, label_of
from pipelines.report.sections import classes, examples, time_spent
from pipelines.trials.folder import StudyFolder
from pipelines.trials.grid import Grid, Trial
from tests.pipelines.records import cost_record, manifest

EVIL = '<script>alert("x")</script>'
CLASSES = manifest(kind="text", classes=["bad", EVIL])


def run(name="m", kind="swiftlearn", **tables):
    """Return a run whose tables are given instead of read."""
    made = Run(name)
    made.__dict__.update({"kind": kind} | tables)
    return made


def scored(kept=(3, 1), by="change"):
    scores = {"id": np.array([5, 1, 3, 2]), "loss": np.zeros(4, np.float32), "change": np.array([0.5, 8, 9, 1], np.float32)}
    score = np.array([scores[by][list(scores["id"]).index(i)] for i in kept], np.float32)
    ledger = {"id": np.array([1, 2, 3, 5]), "trained": np.array([6, 0, 6, 2]), "loss": np.array([0.1, np.nan, 2, 0.5])}
    return run(scores=scores, subset={"id": np.array(kept), "score": score}, ledger=ledger)


def test_the_column_that_a_subset_was_taken_by_is_found_by_its_scores():
    one = scored()
    assert one.selected_by == "change"
    assert one.kept.tolist() == [True, False, True, False]
    one.subset["score"][0] += 1  # a score that no column holds
    assert scored().selected_by == "change"
    del one.__dict__["selected_by"]
    assert one.selected_by is None
    assert scored(by="loss").selected_by is None  # all the same: nothing was chosen by it


def test_a_subset_of_everything_was_taken_by_nothing():
    assert scored(kept=(3, 1, 2, 5)).selected_by is None


def test_a_ranking_is_by_the_score_and_else_by_how_often_an_example_was_trained_on():
    ranked = examples.ranking(scored())
    assert ranked.order.tolist() == [2, 0, 1, 3]  # by ledger: ids 3, 1, 2, 5
    assert ranked.score.tolist() == [8, 1, 9, 0.5]
    free = scored(kept=(3, 1, 2, 5))
    assert examples.ranking(free).order.tolist() == [2, 0, 3, 1]
    free.__dict__["kind"] = "uniform"
    assert examples.ranking(free) is None


def test_the_cut_is_drawn_only_where_scores_alone_made_it():
    values = np.array([0.1, 0.5, 0.7, np.nan])
    assert Scores("a", values, np.array([False, True, True, False])).cut == 0.5
    assert Scores("a", values, np.array([True, False, True, False])).cut is None
    assert Scores("a", values, np.array([True, True, True, False])).cut is None
    drawn = [p.get_height() for p in histograms([Scores("a", values, values > 0.6)]).axes[0].patches]
    assert sum(drawn) == 3


def test_infinite_scores_stand_beyond_the_others():
    values = np.array([0.0, 2.0, np.inf, np.nan])
    shown = Scores("a", values, values > 1).finite()
    np.testing.assert_array_equal(shown.values, [0, 2, 3, np.nan])
    assert shown.title == "a, infinite ones at the end"
    axes = histograms([Scores("a", values, values > 1)]).axes[0]
    assert sum(p.get_height() for p in axes.containers[1]) == 2
    assert Scores("a", np.full(2, np.inf), np.array([True, False])).finite().values.tolist() == [1, 1]


def test_bars_are_stacked_and_parts_that_take_nothing_are_left_out():
    axes = bars([Bar("a", [1, 2]), Bar("none", [0, 0]), Bar("b", [3, 0], apart=True)], ["x", "y"]).axes[0]
    assert [(p.get_x(), p.get_width(), p.get_hatch()) for p in axes.patches] == [
        (0, 1, None), (0, 2, None), (1, 3, "////"), (2, 0, "////")
    ]  # fmt: skip


def test_texts_are_cut_escaped_and_told_with_label_and_score():
    table = pa.table({"id": [1, 2, 3, 5], "label": [0, 1, 1, 0], "text": [EVIL, "b" * 200, "c" * 201, "d"]})
    told = examples._lines(table, examples.ranking(scored()), {"most": [2, 0], "least": [1]}, CLASSES)
    assert told.rows[0] == ["most 1", "3", EVIL, "9.000", "c" * 200 + "…"]
    assert told.rows[1] == ["most 2", "1", "bad", "8.000", EVIL]
    assert told.rows[2][-1] == "b" * 200
    page = render("t", [], [Section("s", [], told)], [])
    assert "<script" not in page
    assert page.count('<td class="prose">&lt;script&gt;') == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_the_pixels_that_it_was_made_of(channels):
    pixels = np.arange(channels * 4, dtype=np.uint8) * 20
    element = examples.picture(pixels, [channels, 2, 2])
    assert re.fullmatch(r'<img alt="" src="data:image/png;base64,[A-Za-z0-9+/=]+">', element)
    read = imread(io.BytesIO(base64.b64decode(element.split(",")[1][:-2])))[..., :3] * 255
    expected = pixels.reshape(channels, 2, 2).transpose(1, 2, 0)
    assert np.allclose(read, np.broadcast_to(expected, (2, 2, 3)), atol=0.5)


def test_a_label_is_its_class_or_a_number_in_its_own_unit():
    assert label_of(CLASSES, 0) == "bad"
    assert label_of(manifest(classes=[], label_scale={"mean": 100.0, "deviation": 10.0}), -1.5) == "85"


def test_shares_by_class_are_of_the_passes_and_the_test_examples_of_each(monkeypatch):
    monkeypatch.setattr(classes, "prepared", lambda split, root=None: pa.table({"label": [0, 1, 1, 1]}))
    predictions = {"target": np.array([0, 1, 1, 1]), "predicted": np.array([1, 1, 1, 0])}
    one = run(ledger={"trained": np.array([2, 4, 0, 1])}, predictions=predictions)
    three = manifest(classes=["a", "b", "c"])
    trained, right = (s.table.rows for s in classes.of_comparison([one], three, 4))
    assert trained == [["b", "3", "41.7"], ["a", "1", "50.0"], ["c", "0", NOTHING], ["all", "4", "43.8"]]
    assert right == [["b", "3", "66.7"], ["a", "1", "0.0"], ["c", "0", NOTHING], ["all", "4", "50.0"]]
    assert classes.of_comparison([one], manifest(classes=[]), 4) == []
    monkeypatch.setattr(classes, "MOST", 1)
    assert "The 1 largest of 3 classes." in classes.of_comparison([one], three, 4)[0].text[0]


def test_shares_by_class_of_a_study_are_means_over_the_seeds_that_are_done(tmp_path, monkeypatch):
    trials = [Trial("full", "full", "full"), Trial("a-0.5", "method", "a", 0.5), Trial("b", "method", "b")]
    study = StudyFolder(tmp_path, Grid(tuple(trials), None), (0, 1))
    monkeypatch.setattr(StudyFolder, "done", lambda self, seed, name: name != "b" and (name, seed) != ("full", 1))
    monkeypatch.setattr(classes, "prepared", lambda split, root=None: pa.table({"label": [0, 1, 1, 1]}))
    target = np.array([0, 1, 1, 1])
    for seed in study.seeds:
        folder = study.of(seed)
        for one in trials:
            path = folder / artifacts.result("train", one.name, "ledger.parquet")
            tables.write_table(path, {"trained": np.array([2 + 2 * seed, 4, 0, 2])}, {"data": "d"})
            path = folder / artifacts.result("evaluate", one.name, "predictions.parquet")
            tables.write_table(path, {"target": target, "predicted": np.array([seed, 1, 1, 0])}, {"data": "d"})
    two = manifest(classes=["x", "y"], content="d")
    trained, right = (s.table for s in classes.of_study(study, trials, two, 4))
    assert trained.heads == ["class", "examples", "full", "a, 0.5 kept"]
    assert trained.rows == [
        ["y", "3", "50.0", "50.0 ± 0.0"],
        ["x", "1", "50.0", "75.0 ± 35.4"],
        ["all", "4", "50.0", "56.2 ± 8.8"],
    ]
    assert [row[-1] for row in right.rows] == ["66.7 ± 0.0", "50.0 ± 70.7", "62.5 ± 17.7"]
    assert classes.of_study(study, trials, manifest(classes=[]), 4) == []
    assert classes.of_study(study, trials[2:], two, 4) == []


def stage(start_up=None, **seconds):
    """Return what the stage of a record took, whose laps took so many CPU ``seconds``."""
    laps = {k: {"times": 1, "examples": 1, "cpu_seconds": v, "wall_seconds": 2 * v} for k, v in seconds.items()}
    return time_spent.StageTime.of(cost_record(laps=laps, start_up_seconds=start_up))


def test_what_the_outermost_lap_holds_beside_the_others_is_the_rest():
    train = stage(train=1.0, forward=0.25, select=0.5, start_up=3.0)
    assert (train.total, train.laps["rest"], train.wall, train.start_up) == (1.0, 0.25, 2.0, 3.0)
    only = stage(select=0.5)
    assert (only.total, only.laps["rest"], only.start_up) == (0.5, 0.0, None)
    spent = {"m": {"warm_up": stage(), "subset": only, "train": train}}
    assert time_spent._shares(spent) == "66.7 % (m)"
    table = time_spent._table(spent)
    assert [row[1] for row in table.rows] == ["subset", "training"]
    assert dict(zip(table.heads, table.rows[1], strict=True))["start-up, wall s"] == "3.0"


def test_a_table_of_other_data_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = artifacts.result("evaluate", "m", "predictions.parquet")
    tables.write_table(path, {"target": np.array([1])}, {"data": "one"})
    assert Run("m", "one").predictions["target"].tolist() == [1]
    with pytest.raises(
        UserError, match=r"evaluate/m/predictions.parquet: was made from other data: it has one, this run has two"
    ):
        Run("m", "two").predictions  # noqa: B018 - reads the file


def test_before_anything_ran_there_is_no_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"results/plan/comparison.json: no such file; 'dvc repro' makes it"):
        compare.compare()
    with pytest.raises(UserError, match=r"results/train/m/ledger.parquet: cannot be read"):
        Run("m").ledger  # noqa: B018 - reads the file
