"""Rungs of an advice: shares of data, scaled costs, refused sections."""

import pytest

from pipelines.advise import rungs
from pipelines.config.loader import load
from pipelines.core.errors import UserError


def test_what_a_candidate_cannot_be_is_said_of_the_section(write_params):
    write_params({"task": "digits", "advise.methods": {"short": "none"}})
    with pytest.raises(UserError, match=r"params.yaml: advise.methods.short: 'short' is part of every study"):
        rungs.study_at(load(), 0.5, [0])
    write_params({"advise": None})
    with pytest.raises(UserError, match="advise: is missing"):
        rungs.section_of(load())


@pytest.mark.parametrize(
    ("limit", "share", "found"), [(None, 1.0, None), (None, 0.25, 0.25), (400, 1.0, 400), (400, 0.25, 100), (0.5, 0.5, 0.25)]
)
def test_a_rung_is_a_share_of_what_the_task_trains_on(limit, share, found):
    assert rungs.limit_at(limit, share) == found


def test_costs_are_what_a_training_on_all_data_takes(write_params):
    write_params({"task": "digits", "advise.validation": 0.2})
    # 0.5 of the 0.8 that are left, and a limit of 400 rows of which 100 were trained on.
    assert rungs.scale_of(load(), 0.5, 575) == pytest.approx(2.5)
    write_params({"task": "digits", "tasks.digits.limit": 400})
    assert rungs.scale_of(load(), 0.25, 100) == 4
