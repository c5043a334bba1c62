"""The history of a training comes back as it was written, and is what other tools read."""

import pytest

from components.epoch_records import EpochRecord, ValidatedEpoch
from pipelines.core.artifacts import read_json
from pipelines.core.errors import UserError
from pipelines.costs.history import history_of, write_history

EPOCH = EpochRecord(
    0,
    10,
    4,
    2,
    8,
    2,
    None,
    0.5,
    0.1,
    course=[{"place": 0.5, "rate": 0.2}],
    events=[{"place": 1.0, "step": 2, "event": "began"}],
)


def test_it_comes_back_as_it_was_written(tmp_path):
    write_history(tmp_path / "history.json", [EPOCH])
    assert history_of(tmp_path / "history.json") == [EPOCH]
    assert read_json(tmp_path / "history.json") == [vars(EPOCH)]


def test_an_epoch_that_was_judged_comes_back_as_one(tmp_path):
    judged = ValidatedEpoch(**vars(EPOCH), validation={"accuracy": 0.5})
    write_history(tmp_path / "history.json", [EPOCH, judged])
    assert history_of(tmp_path / "history.json") == [EPOCH, judged]
    assert ["validation" in record for record in read_json(tmp_path / "history.json")] == [False, True]


def test_one_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"history\.json: no such file"):
        history_of(tmp_path / "history.json")
