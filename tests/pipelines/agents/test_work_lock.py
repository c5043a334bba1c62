"""Which of several runs that are asked for one stage at once does it."""

import logging
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("prefect")

from prefect.exceptions import ObjectAlreadyExists

from pipelines.agents import work_lock
from pipelines.core.errors import StageFailedError, Stopped

LOG = logging.getLogger("test")


class Store:
    """Variables of Prefect's server by name, of which there is one at most."""

    def __init__(self):
        self.held, self.away = {}, 0

    def create_variable(self, wanted):
        if wanted.name in self.held:
            raise ObjectAlreadyExists(None)
        self.held[wanted.name] = SimpleNamespace(id=uuid4(), name=wanted.name, value=wanted.value)
        return self.held[wanted.name]

    def read_variable_by_name(self, name):
        return self.held.get(name)

    def request(self, method, path, path_params):
        if self.away:
            self.away -= 1
            raise httpx.ConnectError("refused")
        assert (method, path) == ("DELETE", "/variables/{id}")
        self.held = {name: claim for name, claim in self.held.items() if str(claim.id) != path_params["id"]}


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(work_lock.prefect_client, "client", lambda: nullcontext(made))
    monkeypatch.setattr(work_lock.prefect_client, "PAUSE_SECONDS", 0.001)
    return made


def when_followed(monkeypatch, do):
    followed = []

    def follow(client, run_id, log):
        followed.append(run_id)
        do(client)

    monkeypatch.setattr(work_lock.run_watcher, "follow", follow)
    return followed


def test_one_that_comes_first_need_not_wait_and_leaves_nothing(store):
    mine = uuid4()
    with work_lock.claimed("work", mine, LOG) as waited, work_lock.claimed("other", uuid4(), LOG):
        assert not waited
        assert store.held["winnow-work"].value == str(mine)
        # The same run, begun once more.
        with work_lock.claimed("work", mine, LOG) as again:
            assert not again
    assert store.held == {}


@pytest.mark.parametrize("end", [None, StageFailedError("agent gpu-1 sent no heartbeat for 10 s"), Stopped()], ids=repr)
def test_the_next_one_has_it_however_the_first_has_ended(monkeypatch, store, end):
    first, second = uuid4(), uuid4()

    def ends(client):
        if end:
            raise end

    followed = when_followed(monkeypatch, ends)
    held = work_lock.claimed("work", first, LOG)
    held.__enter__()
    with work_lock.claimed("work", second, LOG) as waited:
        assert waited
        assert followed == [first]
        assert store.held["winnow-work"].value == str(second)
        # One that was lost is back, and drops what was its own.
        held.__exit__(None, None, None)
        assert store.held["winnow-work"].value == str(second)
    assert store.held == {}


def test_of_two_that_wait_one_has_it_and_the_other_waits_on(monkeypatch, store):
    first, second, third = (uuid4() for _ in range(3))
    old, quick = work_lock.claimed("work", first, LOG), []

    def another_is_quicker(client):
        if not quick:
            client.held.clear()
            quick.append(work_lock.claimed("work", second, LOG))
            quick[0].__enter__()
        else:
            quick[0].__exit__(None, None, None)

    followed = when_followed(monkeypatch, another_is_quicker)
    old.__enter__()
    with work_lock.claimed("work", third, LOG):
        assert followed == [first, second]


def test_a_claim_that_cannot_be_dropped_is_worth_nothing_when_its_run_has_ended(monkeypatch, store):
    monkeypatch.setattr(work_lock, "DROP_SECONDS", 0.0)
    followed = when_followed(monkeypatch, lambda client: setattr(client, "away", 0))
    with work_lock.claimed("work", uuid4(), LOG):
        store.away = 1_000_000
    with work_lock.claimed("work", uuid4(), LOG):
        assert len(followed) == 1


def test_a_claim_is_dropped_though_a_busy_server_refuses_now_and_then(store):
    with work_lock.claimed("work", uuid4(), LOG):
        store.away = 3
    assert store.held == {}
