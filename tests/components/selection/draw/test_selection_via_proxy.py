import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection.draw.selection_via_proxy import SelectionViaProxy
from components.selection.stack import Stack


def table(**columns):
    """A score table of a proxy's warm-up, of six examples."""
    scores = {name: np.zeros(6, np.float32) for name in ("least_confidence", "entropy", "forgetting")}
    scores |= {name: np.asarray(values, np.float32) for name, values in columns.items()}
    return {"id": np.arange(6), **scores}


BY = {"confidence": "least_confidence", "entropy": "entropy", "forgetting": "forgetting"}


@pytest.mark.parametrize(("by", "column"), BY.items())
def test_the_highest_scores_are_kept(by, column):
    values = [0.1, 0.6, 0.0, np.inf, 0.5, 0.2]
    subset = SelectionViaProxy(0.5, by).select(table(**{column: values}), stream(0, "subset"))
    assert subset.weight.tolist() == [0, 1, 0, 1, 1, 0]
    np.testing.assert_array_equal(subset.score, np.float32(values))


def test_who_is_kept_of_equals_is_chance_and_the_seed_decides():
    scores = table(forgetting=[1, 0, 0, 0, 0, 0])
    kept = [SelectionViaProxy(0.5, "forgetting").select(scores, stream(s, "subset")).weight for s in range(40)]
    again = SelectionViaProxy(0.5, "forgetting").select(scores, stream(0, "subset")).weight
    assert (kept[0] == again).all()
    assert all(w[0] == 1 and w.sum() == 3 for w in kept)
    assert (np.sum(kept, axis=0)[1:] > 5).all(), "two of five equals, forty times"


def test_centres_are_spread_out():
    features = np.float32([[0, 0], [0.1, 0], [5, 0], [5.1, 0], [0, -4], [1, 0]])
    subset = SelectionViaProxy(0.5, "k-centres").select(table(features=features), stream(0, "subset"))
    # Their mean is (1.87, -0.67): first (1, 0), then (0, -4) at sqrt(17), and (5.1, 0) at 4.1.
    assert subset.weight.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(subset.score, [1, 0.9, 0.1, 4.1, 17**0.5, np.inf], atol=1e-3)


def test_another_table_is_refused():
    with pytest.raises(ValueError, match="needs the score table of a warm-up with a 'proxy'"):
        SelectionViaProxy().select({"id": np.arange(2), "loss": np.ones(2, np.float32)}, None)
    with pytest.raises(
        ValueError, match="by: 'k-centres' needs a single vector per example before the proxy's last linear layer"
    ):
        SelectionViaProxy(by="k-centres").select(table(), None)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="by must be one of confidence, entropy, forgetting, k-centres, got 'loss'"):
        SelectionViaProxy(by="loss")
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\], got 0"):
        SelectionViaProxy(0)


def test_what_was_selected_is_drawn_in_every_epoch(make_training):
    method = SelectionViaProxy(0.5)
    training = make_training(Stack([method]), epochs=2)
    scores = {"id": np.arange(60), "least_confidence": np.arange(60, dtype=np.float32)}
    training.selector.begin(training.selector.select(scores, stream(0, "subset")), training.plan)
    assert [m.trained for m in training.until() if isinstance(m, EpochRecord)] == [30, 30]
    assert training.ledger.column("trained").tolist() == [0] * 30 + [2] * 30
    assert training.selector.proxy
    assert (method.planned_cost(10, 0), SelectionViaProxy(0.3).planned_cost(10, 0)) == (5, 3)
