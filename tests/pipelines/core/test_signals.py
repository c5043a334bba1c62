"""A stage ends when it is asked to, and with its parent."""

import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from pipelines.core import signals
from tests.conftest import ROOT

CHILD = "import time; from pipelines.core import signals; signals.die_with_parent(); print(1, flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(signal_handlers, number):
    signals.handle_signals()
    assert not signals.STOP.is_set()
    signal.raise_signal(number)
    assert signals.STOP.is_set()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_waits_for_others_is_interrupted_and_remembers(signal_handlers, number):
    signals.interrupt_on_signals()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert signals.STOP.is_set()


def lives(process):
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


# Elsewhere there is no such signal, and the product asks for none (`die_with_parent`).
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")
def test_what_a_killed_parent_leaves_behind_ends_with_it():
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        assert lives(child)
        parent.kill()
    end = time.monotonic() + 10
    while lives(child):
        assert time.monotonic() < end
        time.sleep(0.01)
