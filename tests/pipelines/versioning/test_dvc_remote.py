"""What is said of a DVC remote that does not take what it is sent, and for how long it is waited for."""

import logging
import time
from types import SimpleNamespace

import pytest

from pipelines.core.errors import AwayError, UserError
from pipelines.versioning import dvc_remote

LOG = logging.getLogger("test")
SENT = "failed to transfer '27' - [Errno {}] {}: '/clone/.dvc/cache/27' -> '/mnt/team/files/27.tmp'"


@pytest.fixture
def dvc_says(monkeypatch):
    """Let ``dvc push`` write these lines and exit with this status."""

    def says(code, *lines):
        def call(*command, said, root):
            assert command == ("dvc", "push", "--run-cache", "train@full")
            for line in lines:
                said(line)
            return code

        monkeypatch.setattr(dvc_remote, "call", call)

    monkeypatch.setattr(dvc_remote, "address", lambda root: "/mnt/team")
    monkeypatch.setattr(dvc_remote, "_full", lambda stage, root: f"is full: {stage} made 9 bytes, 0 are free")
    return says


def test_what_was_pushed_is_no_trouble(dvc_says):
    dvc_says(0, "17 files pushed")
    dvc_remote.push("train@full")


AWAY = {
    "a folder that is none": ((1, "ERROR: " + SENT.format(20, "Not a directory"), "ERROR: 5 files failed"), "Not a directory"),
    "DVC ends well without it": ((0, "ERROR: " + SENT.format(13, "Permission denied"), "5 files pushed"), "Permission denied"),
    "a secret": ((255, "ERROR: unexpected error - no answer from s3://key:secret@host/a"), "no answer from s3://host/a"),
    "nothing": ((255,), "'dvc push --run-cache train@full' exited with 255"),
}


@pytest.mark.parametrize(("says", "reason"), AWAY.values(), ids=AWAY)
def test_a_remote_that_takes_nothing_is_said_in_a_line_with_the_reason(dvc_says, says, reason):
    dvc_says(*says)
    with pytest.raises(AwayError) as caught:
        dvc_remote.push("train@full")
    assert str(caught.value) == f"train@full: finished, but could not be pushed to the DVC remote /mnt/team: {reason}"


@pytest.mark.parametrize("why", [(28, "No space left on device"), (122, "Disk quota exceeded")])
def test_one_that_is_full_is_not_tried_again(dvc_says, why):
    dvc_says(1, "ERROR: " + SENT.format(*why))
    with pytest.raises(
        UserError, match=r"^DVC remote /mnt/team: is full: train@full made 9 bytes, 0 are free; make room there"
    ):
        dvc_remote.patiently(lambda: dvc_remote.push("train@full"), LOG)


def test_one_that_is_away_is_waited_for_and_said_once(monkeypatch, caplog):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))

    def answer_after(seconds):
        if clock.now < seconds:
            raise AwayError("DVC remote /mnt/team: Not a directory")
        return clock.now

    assert dvc_remote.patiently(lambda: answer_after(598), LOG) == 600
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "DVC remote /mnt/team: Not a directory; trying again, for 600 s at most"
    with pytest.raises(AwayError):
        dvc_remote.patiently(lambda: answer_after(10_000), LOG)
    assert clock.now == 1200


def test_what_storage_says_when_it_is_asked_is_of_the_remote(monkeypatch):
    def pull(_):
        raise ConnectionError("no answer from s3://key:secret@host/a")

    repo = SimpleNamespace(
        config={"core": {"remote": "a"}, "remote": {"a": {"url": "s3://key:secret@host/a"}}},
        stage_cache=SimpleNamespace(pull=pull),
    )
    monkeypatch.setattr(dvc_remote.dvc_project, "repo", lambda root: repo)
    with pytest.raises(AwayError, match=r"^DVC remote s3://host/a: ConnectionError: no answer from s3://host/a$"):
        dvc_remote.learn_runs()
