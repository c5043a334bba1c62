"""When an agent is taken for lost, whatever clocks and servers do meanwhile; and what the agent learns of it."""

import json
import logging
import threading
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("prefect")

from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import TerminationSignal

from pipelines.agents import compatibility, heartbeat, run_watcher, submit
from pipelines.agents.run_watcher import LONGEST_STEP, Silence
from pipelines.core.environment import LOST_SECONDS
from pipelines.core.errors import GivenUpError, StageFailedError, Stopped, UserError

LOG = logging.getLogger("test")


class Server:
    """Answers of one run as Prefect's server does: what each look finds, a state's type and a beat, or an error."""

    def __init__(self, *script):
        self.script, self.now, self.forced, self.told = list(script), None, [], []

    def read_flow_run(self, run_id):
        self.now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(self.now, Exception):
            raise self.now
        name = self.now[1] if self.now[1] == run_watcher.LOST else None
        return SimpleNamespace(
            id=run_id,
            name="train@full",
            labels={"prefect.worker.name": "gpu-1"},
            work_pool_name="gpu-pool",
            state=State(type=self.now[0], name=name, message="agent gpu-1 was not heard of" if name else None),
        )

    def read_workers_for_work_pool(self, pool):
        return [SimpleNamespace(name="gpu-1", last_heartbeat_time=self.now[1])]

    def read_artifacts(self, artifact_filter):
        return [SimpleNamespace(metadata_={"beat": self.now[1]})] if self.now[1] else []

    def set_flow_run_state(self, run_id, state, force):
        self.forced.append(state)

    def create_artifact(self, artifact):
        self.told.append(artifact)
        return SimpleNamespace(id=uuid4())

    def update_artifact(self, artifact_id, artifact):
        self.told.append(artifact)


@pytest.fixture
def clock(monkeypatch):
    """Let a second pass with each sleep, and no other time at all."""
    time = SimpleNamespace(now=1000.0)

    def sleep(seconds):
        time.now += seconds

    monkeypatch.setattr(run_watcher.time, "monotonic", lambda: time.now)
    monkeypatch.setattr(run_watcher.time, "sleep", sleep)
    monkeypatch.setenv(LOST_SECONDS.name, "10")
    return time


PENDING, RUNNING, SCHEDULED, CANCELLING = StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED, StateType.CANCELLING
DONE = (StateType.COMPLETED, "9")


def followed(server):
    return run_watcher.follow(server, uuid4(), LOG)


@pytest.mark.parametrize("last", [(RUNNING, "7"), (RUNNING, None), (PENDING, None)], ids=str)
def test_an_agent_that_is_silent_is_lost_and_its_run_crashed(clock, last):
    server = Server((SCHEDULED, None), (PENDING, None), (RUNNING, "6"), last)
    with pytest.raises(StageFailedError, match=r"^agent gpu-1 was not heard of for 10 s$"):
        followed(server)
    (state,) = server.forced
    assert (state.type, state.name, state.message) == (StateType.CRASHED, "Lost", "agent gpu-1 was not heard of for 10 s")
    assert 1010 <= clock.now <= 1015


def test_one_that_is_slow_but_heard_of_is_not(clock):
    server = Server(*[(RUNNING, str(beat)) for beat in range(5) for _ in range(9)], DONE)
    assert followed(server).state.is_completed()
    assert not server.forced


def test_a_worker_that_speaks_may_take_long_to_start_a_run_but_not_for_ever(clock):
    slow = [(PENDING, beat // 9) for beat in range(100)]
    assert followed(Server(*slow, (RUNNING, "1"), DONE)).state.is_completed()
    with pytest.raises(StageFailedError, match=r"^agent gpu-1 has not begun it for 600 s"):
        followed(Server(*[(PENDING, beat) for beat in range(700)]))


def test_one_that_was_asked_to_cancel_is_not_sent_again(clock):
    server = Server((CANCELLING, "1"))
    with pytest.raises(Stopped):
        followed(server)
    assert server.forced[0].is_cancelled()


def test_a_run_that_nobody_takes_waits_and_says_so_once(clock, caplog):
    server = Server(*[(SCHEDULED, None)] * 100, DONE)
    assert followed(server).state.is_completed()
    assert [r.getMessage() for r in caplog.records] == ["no agent of gpu-pool has taken train@full for 10 s; it waits for one"]


def test_a_server_that_is_away_costs_a_line_and_nobody_is_lost(clock, caplog):
    away = [httpx.ConnectError("refused")] * 100
    server = Server((RUNNING, "1"), *away, *[(RUNNING, "1")] * 3, DONE)
    assert followed(server).state.is_completed()
    (line,) = [r.getMessage() for r in caplog.records]
    assert line == "Prefect's server does not answer (refused); waiting for it, 600 s at most"


def test_a_server_that_stays_away_ends_the_stage(clock):
    with pytest.raises(StageFailedError, match=r"server has been away for 600 s: refused"):
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


def heart(monkeypatch, tmp_path, server):
    monkeypatch.setattr(heartbeat.prefect_client, "client", lambda: __import__("contextlib").nullcontext(server))
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    return heartbeat.Heart("train@full", uuid4(), tmp_path / "progress.json", LOG)


def test_an_agent_beats_through_a_servers_absence_and_says_how_far_it_is(monkeypatch, tmp_path, caplog):
    server = Server((RUNNING, "1"), *[httpx.ConnectError("refused")] * 6, (RUNNING, "1"))
    beats, over = heart(monkeypatch, tmp_path, server), threading.Event()
    said = {
        "title": "train full",
        "epochs": 6.0,
        "epoch": 2,
        "done": 1203,
        "total": 4000,
        "seconds_left": 45.4,
        "percent": 38.3,
    }
    (tmp_path / "progress.json").write_text(json.dumps(said))
    thread = threading.Thread(target=beats.beat_until, args=(over,))
    thread.start()
    while len(server.told) < 4:
        pass
    over.set()
    thread.join()
    assert server.told[0].key == "winnow-train-full"
    assert [t.metadata_["beat"] for t in server.told][:3] == ["0", "7", "8"]
    assert server.told[1].data == 38.3
    assert server.told[1].description == "train full: epoch 3 of 6, 1,203 of 4,000 examples, 45 s left"
    assert len(caplog.records) == 1


def test_an_agent_that_was_given_up_ends_its_work(monkeypatch, tmp_path):
    ended = []
    monkeypatch.setattr(heartbeat.signal, "pthread_kill", lambda thread, number: ended.append(number))
    server = Server((RUNNING, "1"), (StateType.CRASHED, run_watcher.LOST))
    heart(monkeypatch, tmp_path, server).beat_until(threading.Event())
    assert ended == [heartbeat.signal.SIGTERM]


@pytest.mark.parametrize("state", [StateType.CRASHED, StateType.CANCELLED, CANCELLING])
def test_nothing_is_shared_of_a_run_that_does_not_count_any_more(monkeypatch, tmp_path, state):
    with pytest.raises(Stopped):
        heart(monkeypatch, tmp_path, Server((state, None))).confirm()
    heart(monkeypatch, tmp_path, Server((RUNNING, None))).confirm()


def test_what_was_given_up_ends_as_that_and_not_as_crashed_by_a_signal(monkeypatch, tmp_path):
    beats = heart(monkeypatch, tmp_path, Server((RUNNING, "1"), (StateType.CRASHED, run_watcher.LOST)))
    asked = threading.Event()
    monkeypatch.setattr(heartbeat.signal, "pthread_kill", lambda thread, number: asked.set())

    def work():
        with heartbeat.beating("train@full", uuid4(), tmp_path / "progress.json", LOG):
            assert asked.wait(5)
            raise TerminationSignal(15)

    for ended in (work, beats.confirm):
        with pytest.raises(GivenUpError) as caught:
            ended()
        state = submit.state_of(caught.value)
        assert (state.type, state.name, state.message) == (StateType.CRASHED, "Lost", "agent gpu-1 was not heard of")


def test_what_is_to_be_cancelled_ends_by_itself_where_its_worker_does_not_hear_of_it(monkeypatch, tmp_path):
    ended = []
    monkeypatch.setattr(heartbeat.signal, "pthread_kill", lambda thread, number: ended.append(number))
    server = Server(*[(CANCELLING, "1")] * 4, (RUNNING, "1"), (CANCELLING, "1"))
    beats = heart(monkeypatch, tmp_path, server)
    beats.beat_until(threading.Event())
    assert (ended, server.told[-1].metadata_["beat"]) == ([heartbeat.signal.SIGTERM], "8")
    with pytest.raises(Stopped):
        beats.check()


def test_a_signal_from_somebody_else_is_handed_on(monkeypatch, tmp_path):
    heart(monkeypatch, tmp_path, Server((RUNNING, "1")))
    with pytest.raises(TerminationSignal), heartbeat.beating("train@full", uuid4(), tmp_path / "progress.json", LOG):
        raise TerminationSignal(15)


def test_an_agent_with_other_packages_or_flows_refuses_and_names_them():
    own = compatibility.packages()
    compatibility.check("gpu-1", own, compatibility.flows())
    compatibility.check("gpu-1", {}, "")
    assert own["python"].count(".") == 1
    assert "+" not in own["torch"]
    said = (
        rf"^agent gpu-1: has other packages than the comparison: numpy {own['numpy']} \(asked: 1\.0\), rustc none \(asked: 2\);"
    )
    with pytest.raises(UserError, match=said):
        compatibility.check("gpu-1", own | {"numpy": "1.0", "rustc": "2"}, "")
    with pytest.raises(UserError, match=r"agent gpu-1: its code differs from the coordinator's; run 'git pull' in "):
        compatibility.check("gpu-1", own, "0" * 64)
