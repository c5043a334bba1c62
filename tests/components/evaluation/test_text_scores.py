"""chrF, BLEU and exact match beside sacrebleu's own, and what each text adds to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from components.evaluation.standard_errors import shares, standard_error
from components.evaluation.text_scores import TEXT_METRICS, compared, metrics_of_texts

WORDS = st.text("ab .,", max_size=12)
GENERATED = ["the cat sat on the mat", "a dog", "", "an owl in the oak tree by night"]
REFERENCES = ["the cat sat on a mat", "a dog", "bees", "the owl is in the old oak by night"]


def columns(generated, references):
    loss, tokens = np.linspace(1, 2, len(generated), dtype=np.float32), np.arange(len(generated)) + 2
    return compared(generated, references) | {"loss": loss, "tokens": tokens}


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_they_are_sacrebleus_of_the_whole_split(pairs):
    generated, references = map(list, zip(*pairs, strict=True))
    found = metrics_of_texts(columns(generated, references))
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(generated, [references]).score / 100)
    assert found["bleu"] == pytest.approx(BLEU().corpus_score(generated, [references]).score / 100)


def test_of_real_sentences_they_are_sacrebleus_and_the_rest_is_worked_by_hand():
    found = metrics_of_texts(columns(GENERATED, REFERENCES))
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(GENERATED, [REFERENCES]).score / 100)
    assert found["bleu"] == pytest.approx(BLEU().corpus_score(GENERATED, [REFERENCES]).score / 100)
    assert 0 < found["bleu"] < found["chrf"] < 1
    assert found["exact_match"] == 1 / 4
    assert found["perplexity"] == pytest.approx(np.exp((2 * 1 + 3 * 4 / 3 + 4 * 5 / 3 + 5 * 2) / 14))


def test_white_space_is_no_difference_and_what_was_written_is_kept():
    found = compared([" a  dog\n", "A dog"], ["a dog", "a dog"])
    assert found["exact_match"].tolist() == [True, False]
    assert found["generated"].tolist() == [" a  dog\n", "A dog"]


@pytest.mark.parametrize("metric", TEXT_METRICS)
def test_an_examples_part_is_what_the_metric_loses_without_it(metric):
    rows = columns(GENERATED * 5, REFERENCES * 5)
    parts, whole = shares(rows, metric), metrics_of_texts(rows)[metric]
    for i in (0, 2, 3):
        left = {name: np.delete(column, i, 0) for name, column in rows.items()}
        assert parts[i] == pytest.approx(20 * (whole - metrics_of_texts(left)[metric]))


@pytest.mark.parametrize("metric", TEXT_METRICS)
def test_the_standard_error_is_that_of_a_bootstrap(metric):
    rng = np.random.default_rng(0)
    words = np.array("a cat sat on the mat by an owl in oak".split())  # noqa: SIM905
    references = [" ".join(rng.choice(words, 8)) for _ in range(150)]
    generated = [
        " ".join(w if rng.random() < p else "x" for w in r.split())
        for r, p in zip(references, rng.random(150) ** 0.2, strict=True)
    ]
    rows = columns(generated, references)
    found = [metrics_of_texts({n: c[drawn] for n, c in rows.items()})[metric] for drawn in rng.integers(0, 150, (200, 150))]
    assert standard_error(rows, metric) == pytest.approx(np.std(found), rel=0.25)
