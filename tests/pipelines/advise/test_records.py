"""An advice is read as it was written, its trials as columns."""

import json

import pytest

from pipelines.advise.records import Advice, NoProposalScore, Nothing
from pipelines.core.errors import UserError
from tests.pipelines.advise.advices import advice, gain


@pytest.fixture
def path(tmp_path):
    return tmp_path / "advice.json"


def test_an_advice_is_read_as_it_was_written(path):
    whole = advice(answer=advice().answer.model_copy(update={"gains": {"full": gain(0.01, sure=True, least=0.0)}}))
    for written in (whole, advice(answer=Nothing(kind="nothing", name=None), test=NoProposalScore(error="no test split"))):
        written.write(path)
        assert Advice.read(path) == written


def test_a_trial_is_a_row_of_columns_its_share_first(path):
    advice().write(path)
    _, row, failed = json.loads(path.read_text())["trials"]
    assert {"cell": "a", "share": 1.0, "seed": 0, "accuracy": 0.9, "cpu_seconds": 3.0, "error": ""}.items() <= row.items()
    assert (failed["accuracy"], failed["error"]) == (None, "the loss is nan")
    assert next(iter(advice().trials[0].columns())) == "share"


@pytest.mark.parametrize("wrong", [{"share": "half"}, {"seed": None}, {"role": "rival"}])
def test_a_trial_of_another_version_is_refused_by_name(path, wrong):
    advice().write(path)
    told = json.loads(path.read_text())
    told["trials"][0] |= wrong
    path.write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"advice.json: .*another version wrote it"):
        Advice.read(path)
