"""A running stage is heard of, and ends where it does not count any more."""

import json
import threading
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("prefect")

from prefect.client.schemas.objects import StateType
from prefect.exceptions import TerminationSignal

from pipelines.agents import heartbeat, run_watcher, submit
from pipelines.core.errors import GivenUpError, Stopped
from tests.pipelines.agents.scripted_server import CANCELLING, LOG, RUNNING, Server


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
        assert (state.type, state.name, state.message) == (StateType.CRASHED, "Lost", "agent gpu-1 sent no heartbeat")


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
