"""The garbage collector of a stage's process."""

import sys

import pytest

SPARED = """
import gc
from pipelines.core import python_gc as collector
said = lambda: print(gc.isenabled(), gc.get_freeze_count() > 0)
collector.loaded()
said()
collector.spare(loading=True)
said()
collector.loaded()
said()
"""
#: Runs a stage, and says at the end of the process whether garbage was collected then.
OBSERVED = """
import atexit, gc, runpy, sys
atexit.register(lambda: print("collects" if gc.isenabled() else "does not collect"))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def test_it_rests_while_a_process_loads_and_only_then(run_in):
    said = run_in(".", sys.executable, "-c", SPARED).stdout.split("\n")
    assert said == ["True False", "False False", "True True", ""]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "name"), [("warm_up", "two-epochs"), ("train", "swiftlearn"), ("evaluate", "full"), ("compare", "")]
)
def test_every_stage_collects_when_it_works(run_in, copy_of_finished, stage, name):
    command = [sys.executable, "-c", OBSERVED, f"pipelines.{stage}", *filter(None, [name])]
    assert run_in(copy_of_finished, *command).stdout.splitlines()[-1] == "collects"


def test_what_a_process_leaves_is_not_looked_through(run_in):
    script = "import atexit, gc; from pipelines.core import python_gc as collector\n{}\ncollector.spare(loading=False)"
    at_the_end = "atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    assert run_in(".", sys.executable, "-c", script.format(at_the_end)).stdout == "True\n"
