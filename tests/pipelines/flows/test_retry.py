"""Only what another try may mend is tried again."""

import pytest

pytest.importorskip("prefect")

from pipelines.core.errors import RankError, StageFailedError, Stopped, UserError
from pipelines.flows.retry import worth_a_retry


class Ended:
    """The state of a run that ended with an error, or without."""

    def __init__(self, error):
        self._error = error

    def result(self):
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UserError("params.yaml: seed"), False),
        (Stopped(), False),
        (None, False),
        (StageFailedError("train@full: exited with 1"), True),
        (RankError("rank 1"), True),
        (OSError("no room"), True),
    ],
    ids=repr,
)
def test_another_try_is_for_failures_that_it_may_mend(error, again):
    assert worth_a_retry(None, None, Ended(error)) is again
