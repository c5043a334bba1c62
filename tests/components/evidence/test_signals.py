"""What rules judge by is worked out where it is wanted, once."""

import numpy as np

from components.evidence.signals import Signals


def test_a_norm_is_worked_out_once_and_when_it_is_wanted():
    asked = []

    def norm():
        asked.append("norm")
        return np.float32([3.0, 4.0])

    seen = Signals(np.float32([1.0, 2.0]), norm)
    assert (len(seen), asked) == (2, [])
    assert seen.norm.tolist() == seen.norm.tolist() == [3.0, 4.0]
    assert asked == ["norm"]
    assert Signals(seen.loss, np.float32([5.0, 6.0])).norm.tolist() == [5.0, 6.0]
