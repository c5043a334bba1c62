"""One rule alone keeps the fraction that it puts first."""

import numpy as np
import pytest

from components.selection.keep.rule import ByRule

#: Of probabilities .7, .2, .5 and .9 of the true class: losses of .36, 1.6, .69 and .11.
LOGITS, TARGET = np.log([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [0.1, 0.9]]), [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rule", "kept"), [("big-loss", [0, 1, 1, 0]), ("small-loss", [1, 0, 0, 1]), ("gradient-norm", [0, 1, 1, 0])]
)
def test_who_is_kept_by_hand(make_evidence, rule, kept):
    evidence = make_evidence([3, 0, 2, 1], LOGITS, TARGET, looked=True)
    assert ByRule(rule, 0.5).keep(evidence, np.random.default_rng(0)).tolist() == kept


def test_a_rule_asks_for_what_it_judges_by_and_for_random_numbers_where_it_draws():
    methods = {name: ByRule(name, 0.5) for name in ("big-loss", "gradient-norm", "input-gradient-norm", "uniform")}
    assert [set(method.wants) for method in methods.values()] == [set(), {"norm"}, {"input_norm"}, set()]
    assert [method.chance for method in methods.values()] == [False, False, False, True]


def test_a_rule_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"^no such rule: 'big-los', did you mean 'big-loss'\?"):
        ByRule("big-los", 0.5)
