"""Steps see augmented images, looks do not, and a run that goes on sees the same ones."""

import numpy as np
import pytest
import torch

from components.epoch_records import EpochRecord
from components.selection.selector import Selector
from components.tasks.augmentation import Augmentation, Crop, Erase, Flip, RandAugment
from pipelines.training.checkpoints import pack, unpack

CPU = torch.device("cpu")
AUGMENTATION = Augmentation([Crop(2), Flip(0.5), RandAugment(1, 9), Erase(0.3)], 0)


class KeepSome(Selector):
    """Looks at everything afresh or by its training pass, and keeps what is given."""

    def __init__(self, look, every=2):
        super().__init__()
        self._look, self._every = look, every

    def look(self, epoch):
        return self._look

    def keep(self, evidence, rng):
        return (np.arange(len(evidence)) % self._every == 0).astype(np.float32)


def watched(training):
    """Return the batches of the looks and the steps of ``training``, with the epoch of each."""
    seen = {"look": [], "step": []}
    for name, into in seen.items():
        plain = getattr(training.learner, name)

        def spy(batch, *given, plain=plain, into=into, **named):
            into.append((training.position.epoch, batch))
            return plain(batch, *given, **named)

        setattr(training.learner, name, spy)
    return seen


@pytest.mark.parametrize("method", [Selector(), KeepSome("fresh"), KeepSome("fresh", 1), KeepSome("whole-batch")])
@pytest.mark.parametrize("refill", [True, False])
def test_steps_see_the_images_of_their_epoch_and_looks_the_stored_ones(make_training, make_images, method, refill):
    images = make_images(40)
    training = make_training(method, images, epochs=2, augmentation=AUGMENTATION, refill=refill, look_size=8)
    seen = watched(training)
    list(training.until())
    training.sweep()
    for _, batch in seen["look"]:
        assert torch.equal(batch.inputs["input"], images.fetch(batch.rows, CPU).inputs["input"])
    for epoch, batch in seen["step"]:
        expected = images.augmented(AUGMENTATION, epoch).fetch(batch.rows, CPU).inputs["input"]
        assert torch.equal(batch.inputs["input"], expected)
        assert not torch.equal(expected, images.fetch(batch.rows, CPU).inputs["input"])
    assert {epoch for epoch, _ in seen["step"]} == {0, 1}
    assert len(seen["look"]) == 5 + 10 * (method.look(None) == "fresh")


def state_of(training, records):
    numbers, tensors = pack(training, records)
    return numbers, {k: v.clone() for k, v in tensors.items()}


@pytest.mark.parametrize("method", [lambda: Selector(), lambda: KeepSome("fresh")])
def test_a_run_goes_on_from_every_moment_to_the_same_bytes(make_training, make_images, method):
    def run(cut=None, state=None):
        training = make_training(method(), make_images(28), epochs=2, augmentation=AUGMENTATION)
        records = [] if state is None else unpack(training, state)
        for count, moment in enumerate(training.until(), 1):
            records += [moment] if isinstance(moment, EpochRecord) else []
            if count == cut:
                break
        return state_of(training, records)

    whole = run()
    for cut in range(1, 6):
        again = run(state=run(cut))
        assert again[0] == whole[0]
        assert all(torch.equal(v, again[1][k]) for k, v in whole[1].items() if k.startswith("model."))


def test_without_augmentation_a_looks_batch_serves_the_step(make_training, make_images):
    training = make_training(KeepSome("fresh", 1), make_images(16), epochs=1, look_size=8)
    seen = watched(training)
    list(training.until())
    assert len(training.examples.fetched) == len(seen["step"]) == 2
