"""Launcher of a stage in several processes, one for each rank.

``torchrun`` starts the ranks and ends the others if one fails. This process has the stage's lock, forwards stop requests and
reports how the run ended; ranks tell it by files.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.plans import ComparisonPlan, TrainingPlan
from pipelines.core import artifacts
from pipelines.core.command import BAD_INPUT, STOPPED, RankEnd
from pipelines.core.environment import IN_RANKS, QUIET, RANK_TIMEOUT
from pipelines.core.errors import RankError, Stopped, UserError
from pipelines.core.progress import is_quiet
from pipelines.core.signals import STOP

if TYPE_CHECKING:
    import torch

    from components.engine.distributed import Ranks

#: Message of the communication libraries after a timeout.
TIMED_OUT = re.compile("timed out|timeout", re.IGNORECASE)
#: Seconds that the other ranks have to end after one has failed: they have nothing to save.
END_SECONDS = 5
#: Seconds between checks for a stop request.
PATIENCE = 0.1


@cache
def here(device: torch.device) -> Ranks:
    """Return the ranks of this training: those of ``torchrun``, or this process alone."""
    from components.engine.distributed import Group, Ranks

    return Group(device, RANK_TIMEOUT.value()) if IN_RANKS.is_set else Ranks()


def started(stage: str, name: str, root: Path = artifacts.HERE) -> bool:
    """Run ``stage`` of ``name`` in ``root`` in the planned number of processes.

    Returns False without running anything if that number is one.

    Raises:
        UserError: for more processes than GPUs, and for bad input that a rank reports.
        Stopped: if the ranks were told to stop.
        RankError: if a rank failed or was killed.
    """
    training = TrainingPlan.read(root / artifacts.plan_of("training")).training
    count = training.devices
    if count == 1 or IN_RANKS.is_set:
        return False
    _check(count, root)
    RANK_TIMEOUT.value()
    folder = (root / artifacts.SCRATCH / "ranks" / f"{stage}@{name}").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _environment(folder, training.threads), _handing_on(f"pipelines.{stage}", name, str(root)):
        codes = _run(count, f"pipelines.{stage}", name, str(root))
    _judge(folder, codes, count)
    folder.rmdir()
    return True


def _check(count: int, root: Path) -> None:
    import torch

    from pipelines.training.builders import device

    if device().type == "cuda" and count > (found := torch.cuda.device_count()):
        task = ComparisonPlan.read(root / artifacts.plan_of("comparison")).task
        raise UserError(
            f"params.yaml: tasks.{task}.training.devices: must be in [1, {found}], the GPUs visible here, "
            f"got {count}; the nearest that works is {found}"
        )


@contextmanager
def _environment(folder: Path, threads: int) -> Iterator[None]:
    """Set the ranks' environment: loopback network, threads, quiet logs, and the folder for their reports."""
    loopback = "lo" if sys.platform == "linux" else "lo0"
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    variables = {
        IN_RANKS.name: str(folder),
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        QUIET.name: "1" if is_quiet() else "",
    }
    variables |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    variables["TORCH_CPP_LOG_LEVEL"] = "ERROR"
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _handing_on(*command: str) -> Iterator[None]:
    """Forward this process's stop request to the ranks once, since they are in sessions of their own."""
    import psutil

    over = threading.Event()

    def watch() -> None:
        while not over.wait(PATIENCE):
            if STOP.is_set():
                for child in psutil.Process().children():
                    with suppress(psutil.NoSuchProcess):
                        if tuple(child.cmdline()[-len(command) :]) == command:
                            child.send_signal(signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run(count: int, *command: str) -> dict[int, int]:
    """Run the ranks to their end, and return the exit codes of those that failed first.

    A process that a signal ended has a negative one.
    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    for part in ("multiprocessing", "agent.server"):
        logging.getLogger(f"torch.distributed.elastic.{part}.api").setLevel(logging.CRITICAL)
    # This process handles signals itself: torchrun would give the ranks half a minute to end.
    options = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={count}", "--signals-to-handle=SIGQUIT"]
    options.append(f"--shutdown-timeout={END_SECONDS}")
    try:
        torchrun.run(torchrun.parse_args([*options, "-m", *command]))
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    return {}


def _judge(folder: Path, codes: dict[int, int], count: int) -> None:
    """Raise the error that the ranks ended with, if any; of several, the first."""
    ends = sorted((RankEnd(**artifacts.read_json(p)) for p in folder.glob("*.json")), key=lambda end: end.time)
    bad = next((end for end in ends if end.code == BAD_INPUT), None)
    if bad is not None:
        raise UserError(bad.message)
    if any(end.code == STOPPED for end in ends) or (STOP.is_set() and codes):
        raise Stopped
    again = "the next run resumes from the last checkpoint"
    if (waited := next((end for end in ends if TIMED_OUT.search(end.message)), None)) is not None:
        # The rank that did not answer was killed afterwards, as a consequence.
        raise RankError(f"rank {waited.rank} of {count} waited for another rank longer than WINNOW_RANK_TIMEOUT; {again}")
    for rank, code in sorted(codes.items()):
        if code < 0 and -code != signal.SIGTERM:
            raise RankError(f"rank {rank} of {count} was ended by {signal.Signals(-code).name}; {again}")
    if ends:
        sys.stderr.write(ends[0].trace)
        raise RankError(f"rank {ends[0].rank} of {count} {ends[0].message}; {again}")
    if codes:
        rank, code = next(iter(codes.items()))
        raise RankError(f"rank {rank} of {count} exited with {code}; {again}")
