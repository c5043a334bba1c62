import numpy as np
import pytest

from components.epoch_records import EpochRecord
from components.rng import stream
from components.selection.common import noise
from components.selection.draw.clean import Clean
from components.selection.selector import Epoch

N = 1000
TARGET = np.repeat([0, 1], [500, 500])
#: Ten examples of each label, fifty times: of the surer half those labelled 0 are 0, but for one in five, which is 1.
MARGIN = np.repeat(
    [[-0.9, -0.9, -0.8, -0.8, 0.9, -0.1, -0.1, -0.1, 0.1, -0.1], [-0.9] * 5 + [-0.1] * 4 + [0.2]], 50, axis=1
).ravel()
LOSS = np.repeat([[0.05] * 4 + [3.0] + [0.75] * 5, [0.05] * 5 + [0.75] * 4 + [0.9]], 50, axis=1).ravel()
PREDICTED = np.where(MARGIN > 0, 1 - TARGET, TARGET)
CLEAN = np.full(N, -0.5), np.full(N, 0.2), TARGET


def ledger_of(make_ledger, margin=MARGIN, loss=LOSS, predicted=PREDICTED):
    seen = {"margin": margin, "margin_mean": margin, "loss": loss, "predicted": predicted, "seen": np.full(N, 2)}
    return make_ledger(N, 2, target=TARGET, **seen)


def weights(selector, ledger, index):
    epoch = Epoch(index, 5)
    selector.review(epoch, ledger, stream(0, "review", index))
    return selector.draw(epoch, ledger, stream(0, "draw", index))


def test_everything_first_and_then_all_but_the_contradicted(make_ledger):
    selector, ledger = Clean(), ledger_of(make_ledger)
    assert weights(selector, ledger, 1).tolist() == [1] * N
    left = weights(selector, ledger, 2) == 0
    # Of those surely 1 a sixth is labelled 0, of those surely 0 none: of label 0 that makes the share that is of class 1.
    rate = noise.rates_by_class(noise.surer_half(LOSS, MARGIN), PREDICTED, TARGET)
    assert rate == pytest.approx([0.2, 0.0], abs=0.03)
    assert left.sum() == round((rate[0] - 0.02) * 500)
    assert left[MARGIN == 0.9].all()
    # Of label 1, whose rate is under .02, also who is contradicted stays.
    assert not left[TARGET == 1].any()
    assert selector.left_out == left.mean()
    assert selector.events() == [f"from epoch 3 on leaves out {left.mean():.4f} of the examples"]
    assert selector.events() == []


def test_one_rate_of_all(make_ledger):
    left = weights(Clean(by_class=False), ledger_of(make_ledger), 2) == 0
    # Of all a tenth of the surer half is contradicted: the (.1 - .02) * 1,000 of largest margin.
    assert left.sum() == 80
    assert left[MARGIN == 0.9].all()
    assert left[MARGIN == 0.2].sum() == 30


def test_rates_only_rise_after_the_first(make_ledger):
    selector = Clean()
    weights(selector, ledger_of(make_ledger), 2)
    first = selector.rates
    weights(selector, ledger_of(make_ledger, *CLEAN), 3)
    assert selector.rates.tolist() == first.tolist()


def test_clean_labels_lose_nothing(make_ledger):
    assert weights(Clean(), ledger_of(make_ledger, *CLEAN), 2).all()


def test_wrong_labels_of_a_run_are_left_out(make_training, make_images):
    examples = make_images(400, seed=3)
    examples.pixels[:] = np.random.default_rng(1).integers(0, 60, examples.pixels.shape)
    examples.pixels[np.arange(400), 0, examples.target] = 255  # so that the model can know better than a label
    wrong = np.random.default_rng(0).permutation(400)[:60]
    examples.target[wrong] = (examples.target[wrong] + 1) % 4
    training = make_training(Clean(after=3), examples=examples, epochs=5, batch_size=40, dropout=0.0)
    trained = [m.trained for m in training.until() if isinstance(m, EpochRecord)]
    assert trained[:3] == [400] * 3
    left = np.flatnonzero(training.ledger.column("drawn") == 3)
    assert 30 <= len(left) <= 70
    assert np.isin(left, wrong).mean() > 0.9


def test_by_a_fake_class_the_suspects_are_chosen_once(make_ledger):
    fake = np.arange(N) % 5 == 0
    margin = np.where(fake, np.linspace(0.2, 0.9, N), -0.8)
    wrong = np.flatnonzero(~fake)[:120]
    margin[wrong] = np.linspace(0.3, 0.95, 120)
    selector = Clean(rate="fake-class")
    subset = selector.select({"id": np.arange(N), "margin_mean": margin, "fake": fake}, None)
    left = np.flatnonzero(subset.weight == 0)
    assert 60 <= len(left) <= 120
    assert set(left) <= set(wrong)
    selector.begin(subset, None)
    for index in (0, 3):
        assert np.flatnonzero(selector.draw(Epoch(index, 5), make_ledger(N), None) == 0).tolist() == left.tolist()
    assert selector.facts()["left_out"] == pytest.approx(len(left) / N)
    with pytest.raises(ValueError, match="needs the score table of a warm-up with 'fake_class'"):
        selector.select({"id": np.arange(3)}, None)


@pytest.mark.parametrize(("arguments", "text"), [({"after": 0}, "after must be at least 1")])
def test_bounds(arguments, text):
    with pytest.raises(ValueError, match=text):
        Clean(**arguments)
    with pytest.raises(ValueError, match="after must be under the 2 epochs of training, got 2; the nearest is 1"):
        Clean().check(2, 0)
