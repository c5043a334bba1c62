"""Command run in a copy of the fork server: ``python -m pipelines.processes MODULE``."""

import os
import sys

from pipelines.core.environment import FORK_SERVER
from pipelines.processes.fork_client import hand_over

if __name__ == "__main__":
    if FORK_SERVER.is_set:
        hand_over(sys.argv[1], sys.argv[2:])
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
