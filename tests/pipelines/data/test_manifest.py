"""A manifest says what its parts say, and nothing of what none of them says."""

import pytest

from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.manifest import DuplicatesFacts, InputFacts, Manifest, RegimeFacts, SplitCounts, TargetFacts
from tests.pipelines.records import manifest, task_plan

TARGETS = TargetFacts(target="class", metric="accuracy", higher=True, classes=["cat", "dog"], outputs=2)
MADE = DuplicatesFacts(fraction=0.5, copies=4, originals=4)


def joined(*facts):
    task = task_plan()
    said = {"kind": task.kind, "source": task.source, "columns": {"row": "float"}, "counts": SplitCounts(train=8, test=4)}
    rest = {"task": "toy", "licence": "none", "citation": "none", "seed": 0, "content": "abc", "files": {}}
    return Manifest.joined((TARGETS, *facts), **said, **rest)


def test_parts_are_joined_and_what_none_says_stays_unsaid():
    found = joined(InputFacts(shape=[4]), RegimeFacts.from_regimes(long_tail=None, duplicates=MADE))
    told = found.dumped()
    assert (told["shape"], told["outputs"], told["counts"]) == ([4], 2, {"train": 8, "test": 4})
    assert told["duplicates"]["copies"] == 4
    assert told["schema"] == {"row": "float"}
    assert not {"columns", "long_tail", "target_set", "mean", "label_scale", "stream"} & told.keys()
    assert (found.long_tail, found.stream) == (None, False)
    assert found.counts.total == 12


def test_it_comes_back_as_it_was_written(tmp_path):
    found = joined(InputFacts(shape=[4]))
    found.write(tmp_path / artifacts.MANIFEST)
    assert Manifest.prepared(tmp_path) == found
    assert Manifest.prepared(tmp_path).dumped() == found.dumped()


def test_one_that_is_not_there_or_of_another_version_is_named(tmp_path):
    with pytest.raises(UserError, match=r"manifest\.json: no such file"):
        Manifest.prepared(tmp_path)
    artifacts.write_json(tmp_path / artifacts.MANIFEST, manifest().dumped() | {"pixels": 1})
    with pytest.raises(UserError, match=r"manifest\.json: pixels: .*; another version wrote it: run 'dvc repro'"):
        Manifest.prepared(tmp_path)


def test_it_is_judged_by_what_it_says():
    told = manifest(metric="perplexity", higher=False).judging_metric
    assert (told.name, told.higher) == ("perplexity", False)
