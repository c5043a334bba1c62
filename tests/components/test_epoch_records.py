"""The record of an epoch has the means of what its tally counted."""

from components.epoch_records import EpochRecord, Tally, ValidatedEpoch, epoch_record


def test_a_record_has_the_means_over_the_trained_by_hand():
    tally = Tally(drawn=10, looked=4, kept=2, trained=8, steps=2, loss=4.0, correct=6, learning_rate=0.1)
    least = {"epoch": 3, "drawn": 10, "looked": 4, "kept": 2, "trained": 8, "steps": 2, "learning_rate": 0.1}
    assert tally.closed(3, classes=True) == EpochRecord(**least, loss=0.5, accuracy=0.75, course=[], events=[])
    assert tally.closed(3, classes=False) == EpochRecord(**least, loss=0.5, accuracy=None, course=[], events=[])


def test_an_epoch_that_trained_on_nothing_has_no_means():
    record = Tally(drawn=5, looked=5).closed(0, classes=True)
    assert (record.loss, record.accuracy, record.looked) == (None, None, 5)


def test_columns_with_validation_are_of_a_judged_epoch():
    record = Tally().closed(0, classes=False)
    assert epoch_record(vars(record)) == record
    judged = epoch_record(vars(record) | {"validation": {"r2": 0.5}})
    assert isinstance(judged, ValidatedEpoch)
    assert judged.validation == {"r2": 0.5}
