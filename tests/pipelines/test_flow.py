"""How a run of everything ends: its exit status, and the line that says why."""

from pathlib import Path

import pytest

from pipelines import flow
from pipelines.core.errors import StageFailedError, Stopped, UserError
from pipelines.core.locks import alone

pytestmark = pytest.mark.usefixtures("signal_handlers")


def test_params_that_are_not_sound_end_it_before_anything_is_run(write_params, capsys):
    write_params({"task": "digts"})
    assert flow.main() == 2
    assert capsys.readouterr().err.startswith("winnow: params.yaml: task: 'digts': no such task, did you mean 'digits'?")
    assert not Path("results").exists()


def test_one_runs_at_a_time(write_params, capsys):
    write_params({"task": "digits"})
    with alone("flow"):
        assert flow.main() == 2
    assert "winnow: flow is already running in " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("bad"), 2, "winnow: bad\n"),
        (StageFailedError("train@full: failed"), 1, "winnow: train@full: failed\n"),
        (Stopped(), 130, "winnow: stopped; the next call goes on from here\n"),
        (KeyboardInterrupt(), 130, "winnow: stopped; the next call goes on from here\n"),
    ],
)
def test_each_end_has_its_status(write_params, monkeypatch, capsys, error, code, said):
    def ends(*_):
        raise error

    write_params({"task": "digits"})
    monkeypatch.setattr(flow.dvc_project, "release_the_dead", ends)
    assert flow.main() == code
    assert capsys.readouterr().err.endswith(said)
