"""A diagnosis: what it finds in data whose truth is known, of every kind, and end to end."""

import csv

import numpy as np
import pytest
from PIL import Image

from pipelines.config.loader import load
from pipelines.core import artifacts
from pipelines.core.artifacts import DIAGNOSIS, plan_of, read_json, result
from pipelines.core.errors import UserError
from pipelines.core.tables import write_table
from pipelines.data.findings.records import Findings
from pipelines.diagnose import COPY, SUSPECT, diagnose
from pipelines.report.diagnosis import lines

COLUMNS = {"text": "text", "label": "label"}


def rows_of(name):
    with (DIAGNOSIS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def score(train, wrong=(), sights=2):
    """Write the score table of a warm-up that knows every label, but for those at ``wrong``, which it contradicts."""
    n, label = len(train.ids), train.examples.target
    contradicted = np.isin(np.arange(n), wrong)
    classes = int(label.max()) + 1
    margin = np.where(contradicted, 0.9, -0.9).astype(np.float32)
    columns = {
        "id": train.ids, "loss": -np.log((1 - margin) / 2), "margin": margin, "margin_mean": margin,
        "gradient_norm": (1 + margin) / 2, "correct": ~contradicted, "forgotten": np.zeros(n, np.int32),
        "predicted": np.where(contradicted, (label + 1) % classes, label).astype(np.int32), "seen": np.full(n, sights),
    }  # fmt: skip
    content = artifacts.read_json(artifacts.MANIFEST)["content"]
    origin = {"data": content, "warm_up": artifacts.read_json(plan_of("warm_ups", "two-epochs"))}
    write_table(result("warm_up", "two-epochs", "scores.parquet"), columns, origin)


def texts(n):
    rng = np.random.default_rng(0)
    words = np.array(["a", "fine", "film", "no", "good", "at", "all", "dull", "bore", "joy"])
    return [(" ".join(rng.choice(words, 9)), "good" if i % 2 else "bad") for i in range(n)]


def write(path, rows):
    path.write_text("\n".join(["text,label", *(f"{t},{y}" for t, y in rows)]))
    return str(path)


WRONG = [20, 33, 48, 91, 120, 121, 130, 144, 150, 161, 170, 188]


@pytest.fixture
def known(prepared, tmp_path):
    """Prepare rows of which twelve labels are contradicted, one is there twice, and two are in the test split too."""
    rows = texts(200)
    test = [rows[7], rows[150], *texts(240)[200:]]
    rows[60] = rows[10]
    source = {"from": "files", "train": write(tmp_path / "a.csv", rows), "test": write(tmp_path / "b.csv", test)}
    _, train, _ = prepared(source, COLUMNS)
    score(train, WRONG)
    return rows


def test_wrong_labels_are_named_with_what_is_like_them(known, capsys):
    diagnose()
    suspects = rows_of("suspects.csv")
    assert {int(s["id"]) for s in suspects} <= set(WRONG)
    assert len(suspects) >= 6
    assert set(suspects[0]) == set(SUSPECT)
    first = suspects[0]
    text, given = known[int(first["id"])]
    other = {"good": "bad", "bad": "good"}[given]
    assert (first["example"], first["given"], first["likely"], first["verdict"]) == (text, given, other, "")
    like = [int(part.split(":")[0]) for part in first["agreeing"].split("; ")]
    assert [known[i][1] for i in like] == [other] * 3
    assert "named as probably wrong" in capsys.readouterr().out
    assert text in (DIAGNOSIS / "report.html").read_text()


def test_rows_that_are_there_twice_are_named_by_id(known):
    diagnose()
    told = read_json(DIAGNOSIS / "diagnosis.json")
    assert (told["duplicates"]["train_exact"], told["duplicates"]["leaked_exact"]) == (1, 2)
    copies = [c for c in rows_of("duplicates.csv") if c["exact"] == "True"]
    assert {"id": "60", "split": "train", "same_as": "10", "same_as_split": "train", "exact": "True"} in copies
    assert {(c["id"], c["same_as"]) for c in copies if c["split"] == "test"} == {("200", "7"), ("201", "150")}
    assert [c["rows"] for c in told["classes"]] == [100, 100]


@pytest.mark.slow
def test_twice_is_the_same_to_the_byte(known):
    found = []
    for _ in range(2):
        diagnose()
        found.append({p.name: p.read_bytes() for p in DIAGNOSIS.iterdir() if p.is_file()})
    assert found[0] == found[1]


def test_nothing_found_is_a_table_of_names(prepared, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "a.csv", texts(60))}
    _, train, _ = prepared(source, COLUMNS, test=20)
    score(train)
    diagnose()
    assert (DIAGNOSIS / "suspects.csv").read_text().strip() == ",".join(SUSPECT)
    assert (DIAGNOSIS / "duplicates.csv").read_text().startswith(",".join(COPY))
    assert "take the short schedule" in lines(Findings.written())[0]


def test_pictures_of_suspects_are_written(prepared):
    _, train, _ = prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2)
    wrong = list(range(0, 1200, 6))
    score(train, wrong)
    diagnose()
    suspects = rows_of("suspects.csv")
    assert len(suspects) > 100
    place = list(train.ids).index(int(suspects[0]["id"]))
    picture = np.asarray(Image.open(DIAGNOSIS / suspects[0]["example"]).convert("L"))
    assert np.array_equal(picture, train.table["pixels"][place].values.to_numpy().reshape(8, 8))
    assert (DIAGNOSIS / "report.html").read_text().count("<img") > 50


def test_numbers_and_tokens_have_no_labels_to_doubt(prepared, tmp_path):
    lines_ = ["a,b,y", *(f"{i % 7},{i % 5},{i}" for i in range(60))]
    (tmp_path / "rows.csv").write_text("\n".join(lines_))
    columns = {"numbers": ["a", "b"], "label": "y"}
    source = {"from": "files", "train": str(tmp_path / "rows.csv")}
    _, train, _ = prepared(source, columns, kind="table", predicts="number", test=20)
    n = len(train.ids)
    held = {"loss": np.ones(n), "gradient_norm": np.linspace(0, 1, n), "correct": np.zeros(n, bool)}
    nothing = {k: np.full(n, np.nan, np.float32) for k in ("margin", "margin_mean")}
    origin = {"data": read_json(artifacts.MANIFEST)["content"], "warm_up": read_json(plan_of("warm_ups", "two-epochs"))}
    write_table(result("warm_up", "two-epochs", "scores.parquet"), {"id": train.ids, **held, **nothing}, origin)
    diagnose()
    told = read_json(DIAGNOSIS / "diagnosis.json")
    assert told["classes"] == []
    assert "wrong_labels" not in told
    assert told["gradient"]["effective_sample_size"] == pytest.approx(0.75, abs=0.02)
    assert told["duplicates"]["train_exact"] > 0


def test_a_target_set_is_what_the_pool_is_held_against(prepared, tmp_path):
    pool, aim = texts(80), [("all joy no bore all joy", "good"), ("dull bore bore at all", "bad")] * 15
    lines_ = ["text,label,domain", *(f"{t},{y},film" for t, y in pool), *(f"{t},{y},book" for t, y in aim)]
    (tmp_path / "rows.csv").write_text("\n".join(lines_))
    source, target = {"from": "files", "train": str(tmp_path / "rows.csv")}, {"domain": "book", "rows": 12}
    _, train, _ = prepared(source, COLUMNS | {"domain": "domain"}, target=target, test=10)
    score(train)
    diagnose()
    told = read_json(DIAGNOSIS / "diagnosis.json")
    assert (told["shift"]["of"], told["shift"]["from"]) == ("pool", "target set")
    assert told["shift"]["auc"] > 0.9
    assert told["advice"]["method"] == "target"
    assert "from a warm-up with nearness: ngrams" in lines(Findings.written())[0]


def test_without_a_warm_up_the_data_alone_are_looked_at(prepared, write_params, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "a.csv", texts(60))}
    prepared(source, COLUMNS, test=20)
    path = plan_of("diagnosis")
    artifacts.write_json(path, read_json(path) | {"warm_up": "none"})
    diagnose()
    told = read_json(DIAGNOSIS / "diagnosis.json")
    assert "gradient" not in told
    assert told["advice"]["method"] is None
    assert "No model was trained" in lines(Findings.written())[0]


def test_a_score_table_of_other_data_is_refused(prepared, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "a.csv", texts(60))}
    _, train, _ = prepared(source, COLUMNS, test=20)
    score(train)
    manifest = read_json(artifacts.MANIFEST)
    artifacts.write_json(artifacts.MANIFEST, manifest | {"content": "0" * 64})
    with pytest.raises(UserError, match=r"scores.parquet: .*data"):
        diagnose()
    assert not DIAGNOSIS.exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"diagnose.warm_up": "two"}, r"diagnose.warm_up: 'two': no such warm-up in 'warm_ups', did you mean 'two-epochs'"),
        (
            {"diagnose.warm_up": "short", "warm_ups.short": {"epochs": 0.5}},
            r"diagnose.warm_up: must have 2 epochs or more, or 0 .* got 'short' of 0.5; one that works: two-epochs",
        ),
        ({"diagnose": {"warmup": "none"}}, r"diagnose: 'warmup': no such key, did you mean 'warm_up'"),
    ],
)
def test_a_warm_up_that_cannot_tell_is_refused(write_params, changes, text):
    write_params(changes)
    with pytest.raises(UserError, match=text):
        load()
