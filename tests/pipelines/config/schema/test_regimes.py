"""Options of a training split: bounds, and keys that go together."""

import pytest
from pydantic import ValidationError

from pipelines.config.schema.regimes import Duplicates, LabelNoise, LongTail, TargetSet

TASK = "tasks.movie-reviews"
BAD = {
    "a seed of noise below zero": ({f"{TASK}.label_noise": {"fraction": 0.1, "seed": -1}}, r"label_noise.seed: .*got -1"),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "must name a file or a domain, got neither"),
        ({"file": "x.csv", "domain": "a", "rows": 3}, "must name a file or a domain, got both"),
        ({"domain": "a"}, "rows: is the number of a domain's rows in training"),
        ({"file": "x.csv", "rows": 3}, "rows: is the number of a domain's rows in training"),
    ],
)
def test_a_target_set_is_a_file_or_rows_of_a_domain(keys, said):
    with pytest.raises(ValidationError, match=said):
        TargetSet(**keys)
    assert TargetSet(file="x.csv").rows is None
    assert TargetSet(domain="a", rows=3).file is None


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        (LongTail, {"ratio": 1.0}),
        (Duplicates, {"fraction": 0.0}),
        (Duplicates, {"fraction": 1.0}),
        (LabelNoise, {"fraction": 1.0}),
    ],
)
def test_what_would_change_nothing_or_everything_is_refused(section, keys):
    with pytest.raises(ValidationError, match=f"{next(iter(keys))}\n.* (greater|less) than"):
        section(**keys)
