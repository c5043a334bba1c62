"""Launcher of a stage in several processes, one for each rank.

``torchrun`` starts them and ends the others where one fails. This process holds the stage's lock, hands on what it is asked to
do, and says how it ended; a rank says so to it alone, in a file.
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

#: What the libraries that ranks talk by say when they have waited for too long.
TIMED_OUT = re.compile("timed out|timeout", re.IGNORECASE)
#: Seconds that the others have to end after one has failed: they have nothing to save.
END_SECONDS = 5
#: Seconds between looks at whether the ranks are to be asked to end.
PATIENCE = 0.1


@cache
def here(device: torch.device) -> Ranks:
    """Return the ranks of this training: those that were started, or this process alone."""
    from components.engine.distributed import Group, Ranks

    return Group(device, RANK_TIMEOUT.value()) if IN_RANKS.is_set else Ranks()


def started(stage: str, name: str, root: Path = artifacts.HERE) -> bool:
    """Run ``stage`` of ``name`` in ``root`` in as many processes as are planned, to its end; return False where that is one.

    Raises:
        UserError: for more than there are GPUs, and for what a rank says is bad input.
        Stopped: where the ranks were asked to end.
        RankError: where one failed, or was killed.
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
            f"params.yaml: tasks.{task}.training.devices: must be in [1, {found}], the GPUs that can be seen here, "
            f"got {count}; the nearest that works is {found}"
        )


@contextmanager
def _environment(folder: Path, threads: int) -> Iterator[None]:
    """Set what ranks are told by, and what keeps them on this machine and silent about what is said here."""
    loopback = "lo" if sys.platform == "linux" else "lo0"
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    told = {
        IN_RANKS.name: str(folder),
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        QUIET.name: "1" if is_quiet() else "",
    }
    told |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    told["TORCH_CPP_LOG_LEVEL"] = "ERROR"
    before = dict(os.environ)
    os.environ.update(told)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _handing_on(*command: str) -> Iterator[None]:
    """Ask the ranks to end, once, when this process is: they are in sessions of their own."""
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
    """Run the ranks to their end, and return the exit codes of those that failed first; of a signal, below 0."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    for part in ("multiprocessing", "agent.server"):
        logging.getLogger(f"torch.distributed.elastic.{part}.api").setLevel(logging.CRITICAL)
    # Signals stay with this process: torchrun's own answer to them would give the ranks half a minute to save themselves.
    asked = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={count}", "--signals-to-handle=SIGQUIT"]
    asked.append(f"--shutdown-timeout={END_SECONDS}")
    try:
        torchrun.run(torchrun.parse_args([*asked, "-m", *command]))
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    return {}


def _judge(folder: Path, codes: dict[int, int], count: int) -> None:
    """Raise what the ranks ended with, if it was no good end: of several, what came first."""
    ends = sorted((RankEnd(**artifacts.read_json(p)) for p in folder.glob("*.json")), key=lambda end: end.time)
    said = next((end for end in ends if end.code == BAD_INPUT), None)
    if said is not None:
        raise UserError(said.message)
    if any(end.code == STOPPED for end in ends) or (STOP.is_set() and codes):
        raise Stopped
    again = "the next call goes on from the last checkpoint"
    if (waited := next((end for end in ends if TIMED_OUT.search(end.message)), None)) is not None:
        # The rank that did not answer was killed for it, afterwards.
        raise RankError(f"rank {waited.rank} of {count} waited for another for more than WINNOW_RANK_TIMEOUT allows; {again}")
    for rank, code in sorted(codes.items()):
        if code < 0 and -code != signal.SIGTERM:
            raise RankError(f"rank {rank} of {count} was ended by {signal.Signals(-code).name}; {again}")
    if ends:
        sys.stderr.write(ends[0].trace)
        raise RankError(f"rank {ends[0].rank} of {count} {ends[0].message}; {again}")
    if codes:
        rank, code = next(iter(codes.items()))
        raise RankError(f"rank {rank} of {count} exited with {code}; {again}")
