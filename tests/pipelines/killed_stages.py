"""Stages in processes of their own, which are killed and go on."""

import os
import signal
import subprocess
import sys
import time

from tests.conftest import ROOT


def start(folder, *arguments, seconds="0"):
    """Start a stage that saves itself after every batch."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WINNOW_CHECKPOINT_SECONDS": seconds}
    command, pipe = [sys.executable, "-m", *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def finish(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def outputs(folder, stage, name, files):
    return {file: (folder / "results" / stage / name / file).read_bytes() for file in files}


def kill_until_done(folder, stage, name, rng):
    """Kill the stage by SIGKILL at random instants, once it has saved something, until it is done; return the kills."""
    kills = 0
    while True:
        process = start(folder, f"pipelines.{stage}", name)
        saved = folder / ".winnow" / "checkpoints"
        before = {p.name: p.stat().st_mtime_ns for p in saved.glob(f"{stage}.{name}.*")}
        while process.poll() is None and {p.name: p.stat().st_mtime_ns for p in saved.glob(f"{stage}.{name}.*")} == before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4))
        if kills < 4 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        else:
            finish(process)
            return kills
