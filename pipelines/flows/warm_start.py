"""Warm start of stages: in copies of a process that has imported their libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.core.artifacts import SCRATCH
from pipelines.core.environment import FORK_SERVER
from pipelines.core.subprocesses import end, start

#: What the server listens on, and what it writes.
SOCKET, LOG = SCRATCH / "fork-server.socket", SCRATCH / "fork-server.log"
#: Imports of DVC's command and of the stages, most of them inside functions.
OF_ALL = (
    "dvc.cli", "dvc.commands.repro", "dvc.repo", "dvc.dvcfile", "pandas", "pyarrow.parquet", "pipelines.config.plan_freshness",
    "pipelines.training.job", "pipelines.training.judging.predictions", "pipelines.costs.energy_meter", "torch._dynamo",
    "components.evaluation.metrics", "codecarbon.core.emissions",
)  # fmt: skip
#: Further imports of models, by ``model.family``.
OF_FAMILY = {
    "small": (),
    "transformers": ("transformers.modeling_utils", "transformers.models.auto.modeling_auto", "transformers.modeling_layers"),
    "timm": ("timm",),
    "torchvision": ("torchvision.models",),
}


@contextmanager
def warm_start(family: str) -> Iterator[None]:
    """Run the block's stages in copies of a process with the imports for models of ``family``, where the system can do so."""
    if sys.platform != "linux":
        yield
        return
    SCRATCH.mkdir(parents=True, exist_ok=True)
    # Relative, since the path of a socket has at most 107 bytes; one that a killed flow left is replaced.
    SOCKET.unlink(missing_ok=True)
    address = str(SOCKET)
    modules = (*OF_ALL, *OF_FAMILY.get(family, OF_FAMILY["transformers"]))
    process = start(sys.executable, "-m", "pipelines.processes.fork_server", address, *modules, log=LOG)
    FORK_SERVER.set(address)
    try:
        yield
    finally:
        os.environ.pop(FORK_SERVER.name)
        end(process, seconds=1)
        SOCKET.unlink(missing_ok=True)
