"""A server that is away is waited for; what it refuses is not asked again."""

import httpx
import pytest

pytest.importorskip("prefect")

from pipelines.agents.prefect_client import PATIENCE_SECONDS, answer, is_away
from pipelines.core.errors import StageFailedError
from tests.pipelines.agents.scripted_server import LOG


def status(code):
    return httpx.HTTPStatusError("no", request=httpx.Request("GET", "http://x"), response=httpx.Response(code))


AWAY = [status(500), status(503), status(408), status(429), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_who_does_not_answer_is_away(error):
    assert is_away(error)


@pytest.mark.parametrize("error", [status(404), status(422), ValueError("x")], ids=repr)
def test_who_answers_no_is_not(error):
    assert not is_away(error)


def asking(*ends):
    """Return what raises or returns one of ``ends`` at each call, the last one for ever."""
    left = list(ends)

    def ask():
        end = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(end, Exception):
            raise end
        return end

    return ask


def test_an_answer_is_asked_for_every_two_seconds_until_it_comes(clock):
    assert answer(asking(*AWAY, "yes"), LOG) == "yes"
    assert clock.now == 1000 + 2 * len(AWAY)


@pytest.mark.parametrize(("seconds", "ends"), [(5, 1006), (None, 1000 + PATIENCE_SECONDS)])
def test_patience_ends_and_no_password_is_told(clock, seconds, ends):
    error = httpx.ConnectError("no http://me:secret@host\nmore")
    with pytest.raises(StageFailedError, match=rf"^Prefect's server has not answered for {seconds or 600} s: no http://host$"):
        answer(asking(error), LOG, seconds)
    assert clock.now == ends


def test_what_is_refused_is_not_asked_again(clock):
    with pytest.raises(httpx.HTTPStatusError):
        answer(asking(status(422), "yes"), LOG)
    assert clock.now == 1000
