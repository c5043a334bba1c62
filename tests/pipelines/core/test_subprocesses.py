"""What a command writes is handed on line by line, and its end is not waited for by what it leaves behind."""

import signal
import sys
import threading
import time

import pytest

from pipelines.core import signals, subprocesses


def lines_of(script):
    said = []
    code = subprocesses.call(sys.executable, "-c", script, said=said.append)
    return code, said


def test_lines_of_both_streams_are_handed_on_and_the_exit_status_returned():
    script = "import sys; print('out', flush=True); print('error: é', file=sys.stderr, flush=True); print(); sys.exit(3)"
    assert lines_of(script) == (3, ["out", "error: é"])


def test_of_a_bar_that_is_drawn_again_the_last_drawing_counts():
    assert lines_of(r"print('10 %\r50 %\r100 %')") == (0, ["100 %"])


def test_bytes_that_are_no_text_are_no_trouble():
    assert lines_of(r"import os; os.write(1, b'a\xff\n')") == (0, ["a\ufffd"])


def test_what_a_command_leaves_running_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(subprocesses, "LINES_SECONDS", 0.2)
    begun = time.monotonic()
    script = "import subprocess, sys; print('begun', flush=True); subprocess.Popen(['sleep', '20'])"
    assert lines_of(script) == (0, ["begun"])
    assert time.monotonic() - begun < 15


def test_without_a_listener_it_writes_where_this_process_does(capfd):
    assert subprocesses.call(sys.executable, "-c", "print('here')") == 0
    assert capfd.readouterr().out == "here\n"


def test_it_runs_in_the_folder_that_it_is_given(tmp_path):
    said = []
    assert subprocesses.call("pwd", said=said.append, root=tmp_path) == 0
    assert said == [str(tmp_path)]


def test_a_command_ends_with_who_called_it(monkeypatch):
    ended = []
    monkeypatch.setattr(subprocesses, "end", lambda process, seconds: ended.append(process))

    def interrupted(process, seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocesses.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        subprocesses.call("sleep", "40", said=print)
    monkeypatch.undo()
    subprocesses.end(ended[0], seconds=5)
    assert ended[0].poll() is not None


def test_what_was_to_stop_before_a_command_began_stops_it(monkeypatch, signal_handlers):
    started = []
    monkeypatch.setattr(
        subprocesses, "start", lambda *c, start=subprocesses.start, **o: started.append(start(*c, **o)) or started[0]
    )
    signals.STOP.set()
    with pytest.raises(KeyboardInterrupt):
        subprocesses.call("sleep", "40")
    assert started[0].returncode == -signal.SIGINT


def test_a_thread_learns_that_it_is_to_stop(signal_handlers):
    begun, ended = threading.Event(), []

    def work():
        try:
            subprocesses.call(
                sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)", said=lambda line: begun.set()
            )
        except KeyboardInterrupt:
            ended.append("interrupted")

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    signals.STOP.set()
    thread.join(30)
    assert ended == ["interrupted"]


def test_a_log_has_what_both_streams_say_and_nothing_is_printed(tmp_path, capfd):
    log = tmp_path / "log"
    script = "import sys; print('out', flush=True); print('error', file=sys.stderr)"
    assert subprocesses.start(sys.executable, "-c", script, log=log).wait() == 0
    assert log.read_text() == "out\nerror\n"
    assert capfd.readouterr() == ("", "")
