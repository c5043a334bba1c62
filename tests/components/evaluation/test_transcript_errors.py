"""Error rates against jiwer over the whole split, numbers by hand, and the derivative of a ratio."""

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation.metrics import metrics
from components.evaluation.standard_errors import shares, standard_error
from components.evaluation.transcript_errors import counted, metrics_of_transcripts

SAID = ["press one now", "goodbye", "the party is busy"]
HEARD = ["press now", "goodbye", "a party was is busy"]
TEXTS = st.text("ab ", min_size=1, max_size=8).map(lambda text: " ".join(text.split()))


def test_errors_are_counted_by_hand():
    columns = counted(HEARD, SAID)
    assert columns["word_errors"].tolist() == [1, 0, 2]  # one left out; the -> a, and one more
    assert columns["words"].tolist() == [3, 1, 4]
    assert columns["character_errors"].tolist() == [4, 0, 7]
    assert columns["characters"].tolist() == [13, 7, 17]
    assert metrics_of_transcripts(columns) == {"wer": 3 / 8, "cer": 11 / 37}
    assert metrics(columns | {"loss": np.ones(3)}, "transcript") == {"wer": 3 / 8, "cer": 11 / 37, "loss": 1.0}


def test_nothing_heard_is_a_rate_of_one():
    found = metrics_of_transcripts(counted(["", "", ""], SAID))
    assert found == {"wer": 1.0, "cer": 1.0}


@given(st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1, max_size=5))
def test_rates_are_jiwers_of_the_whole_split(pairs):
    heard, said = map(list, zip(*pairs, strict=True))
    found = metrics_of_transcripts(counted(heard, said))
    assert found["wer"] == pytest.approx(jiwer.wer(said, heard))
    assert found["cer"] == pytest.approx(jiwer.cer(said, heard))


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_shares_are_the_derivative_by_an_examples_weight(metric):
    columns = counted(HEARD, SAID)
    errors, units = {"wer": ("word_errors", "words"), "cer": ("character_errors", "characters")}[metric]

    def rate(weight):
        return (weight * columns[errors]).sum() / (weight * columns[units]).sum()

    found = shares(columns, metric)
    assert found.mean() == pytest.approx(rate(np.ones(3)))
    for i in range(3):
        step = np.where(np.arange(3) == i, 1e-6, 0)
        slope = (rate(1 + step) - rate(1 - step)) / 2e-6
        assert (found[i] - found.mean()) / 3 == pytest.approx(slope, abs=1e-6)
    assert standard_error(columns, metric) == pytest.approx(found.std(ddof=1) / 3**0.5)
