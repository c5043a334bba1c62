"""A method's run is of results that are there, and names its data by hashes."""

import hashlib
import json
from types import SimpleNamespace

from pipelines.core.artifacts import HERE, PREPARED
from pipelines.tracking import method_runs
from tests.pipelines.records import manifest


def tracker(**lock):
    return SimpleNamespace(root=HERE, lock=SimpleNamespace(**lock))


def test_a_split_is_named_by_the_hash_of_its_file_and_of_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PREPARED.mkdir(parents=True)
    (PREPARED / "test.arrow").write_bytes(b"rows")
    given = method_runs._dataset(tracker(outs={str(PREPARED): "abc.dir"}), manifest(), "test")
    assert (given.dataset.name, given.dataset.digest) == ("toy test", hashlib.md5(b"rows").hexdigest())
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "testing", "dvc.md5": "abc.dir"}
    assert json.loads(given.dataset.source)["uri"] == str(tmp_path / "results/prepare/test.arrow")
    profile = json.loads(given.dataset.profile)
    assert (profile["counts"], profile["classes"]) == ({"train": 8, "test": 4}, ["cat", "dog"])
    assert "long_tail" not in profile


def test_a_method_whose_results_are_not_there_has_no_run():
    asked = []
    methods = method_runs.Methods(tracker(holds=asked.append), None, [], None)
    assert methods.log_method("a") is None
    assert asked == ["subset@a"]
