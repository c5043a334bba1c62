"""When an agent is taken for lost, whatever clocks and servers do meanwhile."""

from uuid import uuid4

import httpx
import pytest

pytest.importorskip("prefect")

from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import StateType

from pipelines.agents import run_watcher
from pipelines.agents.run_watcher import LONGEST_STEP, Silence
from pipelines.core.environment import LOST_SECONDS
from pipelines.core.errors import StageFailedError, Stopped, UserError
from tests.pipelines.agents.scripted_server import CANCELLING, LOG, PENDING, RUNNING, SCHEDULED, Server

DONE = (StateType.COMPLETED, "9")


def followed(server):
    return run_watcher.follow(server, uuid4(), LOG)


@pytest.mark.parametrize("last", [(RUNNING, "7"), (RUNNING, None), (PENDING, None)], ids=str)
def test_an_agent_that_is_silent_is_lost_and_its_run_crashed(clock, last):
    server = Server((SCHEDULED, None), (PENDING, None), (RUNNING, "6"), last)
    with pytest.raises(StageFailedError, match=r"^agent gpu-1 sent no heartbeat for 10 s$"):
        followed(server)
    (state,) = server.forced
    assert (state.type, state.name, state.message) == (StateType.CRASHED, "Lost", "agent gpu-1 sent no heartbeat for 10 s")
    assert 1010 <= clock.now <= 1015


def test_one_that_is_slow_but_heard_of_is_not(clock):
    server = Server(*[(RUNNING, str(beat)) for beat in range(5) for _ in range(9)], DONE)
    assert followed(server).state.is_completed()
    assert not server.forced


def test_a_worker_that_speaks_may_take_long_to_start_a_run_but_not_for_ever(clock):
    slow = [(PENDING, beat // 9) for beat in range(100)]
    assert followed(Server(*slow, (RUNNING, "1"), DONE)).state.is_completed()
    with pytest.raises(StageFailedError, match=r"^agent gpu-1 did not start the run within 600 s"):
        followed(Server(*[(PENDING, beat) for beat in range(700)]))


def test_one_that_was_asked_to_cancel_is_not_sent_again(clock):
    server = Server((CANCELLING, "1"))
    with pytest.raises(Stopped):
        followed(server)
    assert server.forced[0].is_cancelled()


def test_a_run_that_nobody_takes_waits_and_says_so_once(clock, caplog):
    server = Server(*[(SCHEDULED, None)] * 100, DONE)
    assert followed(server).state.is_completed()
    assert [r.getMessage() for r in caplog.records] == [
        "no agent of gpu-pool has taken train@full for 10 s; still waiting for one"
    ]


def test_a_server_that_is_away_costs_a_line_and_nobody_is_lost(clock, caplog):
    away = [httpx.ConnectError("refused")] * 100
    server = Server((RUNNING, "1"), *away, *[(RUNNING, "1")] * 3, DONE)
    assert followed(server).state.is_completed()
    (line,) = [r.getMessage() for r in caplog.records]
    assert line == "Prefect's server does not answer (refused); waiting for it, 600 s at most"


def test_a_server_that_stays_away_ends_the_stage(clock):
    with pytest.raises(StageFailedError, match=r"server has not answered for 600 s: refused"):
        followed(Server(httpx.ConnectError("refused")))
    assert clock.now < 1700


def test_what_the_server_refuses_is_not_asked_again(clock):
    no = httpx.HTTPStatusError("no", request=httpx.Request("GET", "http://x"), response=httpx.Response(422))
    with pytest.raises(httpx.HTTPStatusError):
        followed(Server(no))
    assert clock.now == 1000


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_silence_is_never_longer_than_the_looks_that_saw_it(gaps):
    silence, now = Silence(), 0.0
    silence.see("same", now)
    for gap in gaps:
        now += gap
        silence.see("same", now)
    assert silence.seconds == pytest.approx(sum(min(gap, LONGEST_STEP) for gap in gaps))
    assert silence.see("other", now + 3) == 0


@pytest.mark.parametrize("asked", ["9.9", "86401", "nan", "a minute", "-1", "inf"])
def test_bounds_of_the_wait_are_said(monkeypatch, asked):
    monkeypatch.setenv(LOST_SECONDS.name, asked)
    with pytest.raises(
        UserError, match=rf"^WINNOW_LOST_SECONDS: must be from 10 to 86400 seconds, got '{asked}'; the usual is 60$"
    ):
        LOST_SECONDS.value()


def test_without_a_setting_it_is_a_minute(monkeypatch):
    monkeypatch.delenv(LOST_SECONDS.name, raising=False)
    assert LOST_SECONDS.value() == 60
