"""Times, AGOT, the front and speeds, against published numbers and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.costs.savings import Counts, Speed, Unit, agot, best_by_gain, counted_seconds, paper_time, pareto_front
from components.selection.draw.swiftlearn import SwiftLearn

#: T_f over T_f + T_b on the machine of arXiv 2207.14386, for which its printed times follow from its printed skips.
UNIT = Unit(forward=0.31, backward=0.69)

#: Backward pass skipped, both skipped (per cent), and the normalised time: the main table of arXiv 2207.14386.
PUBLISHED = [
    (6.01, 81.01, 0.15),
    (10.46, 59.89, 0.33),
    (13.02, 52.87, 0.38),
    (6.30, 80.40, 0.15),
    (11.00, 70.43, 0.22),
    (0, 38.94, 0.61),
    (0, 13.14, 0.87),
    (0, 18.02, 0.82),
    (0, 20.11, 0.80),
    (0, 43.45, 0.57),
    (90.87, 0, 0.38),
]


@pytest.mark.parametrize(("alpha_b", "alpha_fb", "time"), PUBLISHED)
def test_the_published_times_follow_from_the_published_skips(alpha_b, alpha_fb, time):
    looked_only, skipped = round(alpha_b * 100), round(alpha_fb * 100)
    counts = Counts(10_000, looked=10_000 - skipped, kept=(kept := 10_000 - skipped - looked_only), trained=kept)
    assert counts.alpha_b == pytest.approx(alpha_b / 100)
    assert counts.alpha_fb == pytest.approx(alpha_fb / 100)
    assert paper_time(counts, UNIT) == pytest.approx(time, abs=0.0125)


def test_training_on_everything_takes_the_whole_time():
    everything = Counts(offered=50, looked=0, kept=0, trained=50)
    assert (everything.alpha_b, everything.alpha_fb) == (0, 0)
    assert paper_time(everything, UNIT) == pytest.approx(1)
    assert counted_seconds(everything, Unit(0.01, 0.03)) == pytest.approx(2.0)


def test_every_look_is_counted_also_where_a_step_follows():
    counts = Counts(offered=100, looked=100, kept=20, trained=20)
    assert counts.looked_only == 80
    assert counted_seconds(counts, Unit(1, 2)) == 100 * 1 + 20 * 3
    assert paper_time(counts, Unit(1, 2)) == pytest.approx((0.8 * 1 + 0.2 * 3) / 3)


def test_a_skipped_batch_and_a_look_that_is_not_needed_are_counted_apart():
    whole_batches = Counts(offered=100, looked=60, kept=0, trained=40)
    assert (whole_batches.alpha_b, whole_batches.alpha_fb) == (0.6, 0)
    recalled = Counts(offered=100, looked=30, kept=10, trained=40)
    assert (recalled.alpha_b, recalled.alpha_fb) == (0.2, pytest.approx(0.4))


def test_looks_beyond_what_is_offered_leave_no_negative_share():
    counts = Counts(offered=10, looked=30, kept=0, trained=5)
    assert counts.alpha_fb == 0
    assert counted_seconds(counts, Unit(1, 1)) == 40


def test_agot_of_the_published_three_stage_run():
    assert agot(91.17, base=50, full=90.48, time=0.15) == pytest.approx(1.118, abs=5e-4)
    assert agot(91.17, base=50, full=90.48, time=0.15) == pytest.approx((41.17 / 40.48) * 0.15**-0.05)


def test_agot_of_the_full_run_is_one_and_epsilon_one_ignores_time():
    assert agot(0.9, base=0.1, full=0.9, time=1.0) == 1
    assert agot(0.5, base=0.1, full=0.9, time=0.01, epsilon=1) == pytest.approx(0.5)


@pytest.mark.parametrize(("full", "time"), [(0.1, 0.5), (0.05, 0.5), (0.9, 0.0)])
def test_agot_is_none_where_nothing_was_gained_or_took_no_time(full, time):
    assert agot(0.5, base=0.1, full=full, time=time) is None


def test_the_front_by_hand():
    assert pareto_front([(1.0, 0.95), (0.3, 0.80), (0.5, 0.78), (0.3, 0.85), (0.1, 0.60), (1.2, 0.95)]) == [4, 3, 0]
    assert pareto_front([]) == []
    assert pareto_front([(1.0, 90), (0.3, 120), (0.5, 130), (0.3, 110), (1.2, 90)], higher=False) == [3, 0]


def test_agot_where_less_is_better():
    # Of the 4,000 that full takes off a perplexity of 4,096, half: half the gain, and twice as fast.
    assert agot(2096.0, base=4096, full=96, time=0.5, higher=False) == pytest.approx(0.5 * 0.5**-0.05)
    assert agot(0.5, base=0.1, full=0.9, time=1.0, higher=False) is None
    assert agot(-0.9, base=-0.1, full=-0.9, time=0.3, higher=False) == agot(0.9, base=0.1, full=0.9, time=0.3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_front_is_what_no_other_point_beats(points):
    def beaten(p):
        return any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)

    front = pareto_front(points)
    assert [points[i] for i in front] == sorted({p for p in points if not beaten(p)})
    assert pareto_front([(time, -score) for time, score in points], higher=False) == front


def test_a_speed_its_ceiling_and_the_share_of_it_by_hand():
    # Half of the passes, and a fifth more time for choosing them: 2x was possible, 1.6x was had, four fifths of it.
    speed = Speed.of(counted=0.5, measured=0.625, epochs=10, planned_cost=4.0)
    assert (speed.reached, speed.ceiling, speed.share, speed.formula) == (1.6, 2.0, pytest.approx(0.8), 2.5)
    assert Speed.of(counted=0.5, measured=0.625, epochs=10, planned_cost=None).formula is None


@pytest.mark.parametrize("bad", [{"counted": 0.0}, {"measured": -1.0}, {"planned_cost": 0.0}, {"measured": float("nan")}])
def test_times_that_are_none_have_no_speed(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be above 0"):
        Speed.of(**{"counted": 1.0, "measured": 1.0, "epochs": 5, "planned_cost": 5.0} | bad)


@pytest.mark.parametrize(("epochs", "published"), [(3, 1.43), (5, 2.17), (10, 3.57)])
def test_the_ceiling_by_formula_is_swiftlearns(epochs, published):
    planned = SwiftLearn(0.1).planned_cost(epochs, 2)
    formula = Speed.of(0.5, 0.5, epochs, planned).formula
    assert formula == pytest.approx(epochs / (2 + 0.1 * (epochs - 2)))
    assert formula == pytest.approx(published, abs=0.005)


@given(st.floats(0.01, 2), st.floats(0.01, 2))
def test_the_share_is_counted_over_measured(counted, measured):
    speed = Speed.of(counted, measured, 5, None)
    assert speed.share == pytest.approx(counted / measured)
    assert speed.share * speed.ceiling == pytest.approx(speed.reached)


def test_the_best_of_each_group():
    assert best_by_gain(["a", "b", "a", "c", "b"], [1.0, None, 1.2, None, 0.3]) == {2, 4}
    assert best_by_gain(["a", "a"], [1.0, 1.0]) == {0}
    assert best_by_gain([], []) == set()
