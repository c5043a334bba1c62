"""The flow in a copy of the project, as its user would start it, and what it leaves."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

#: What holds timings, or is made of them: it differs from run to run.
TIMED = ("results/cost/", "results/account/", "results/compare")


def lock(folder):
    return yaml.safe_load((folder / "dvc.lock").read_text())["stages"]


def hashes(folder):
    """Return the hash of every output that does not hold timings."""
    outs = {o["path"]: o["md5"] for stage in lock(folder).values() for o in stage["outs"]}
    return {path: md5 for path, md5 in outs.items() if not path.startswith(TIMED)}


def change(folder, **changes):
    """Set dotted keys, written with __ for a dot, in the folder's params.yaml."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = params
        for parent in parents:
            place = place[parent]
        place[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def start_flow(folder, prefect_home, **more):
    """Start the flow as its user would, in a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONWARNINGS": "", **prefect_home, **more}
    command = [sys.executable, "-m", "pipelines.flow"]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait(process, code=0):
    said, _ = process.communicate(timeout=400)
    assert process.returncode == code, said
    return said


def stages_at_work(folder):
    """Return the command lines of processes that run a stage in ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(entry / "cwd")) == folder.resolve():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if "pipelines." in line or "dvc" in line]
