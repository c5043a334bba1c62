"""Servers and agents that a test cuts off, kills and starts again."""

import json
import shutil
import signal
import subprocess
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from tests.pipelines.agents.real_agents import asked, family, said_by, signal_all, wait_for

#: What the comparison of ``finished_copy`` has left to do.
LEFT = ("train full", "pipelines.account", "pipelines.compare")
#: Epochs of what is cancelled, more than the fastest machine trains before it hears of that; and of what is asked for alone.
LONG, SINGLE = 1000, {"cut-off": 3.0, "twice": 8.1, "room": 3.2}
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def begun(finished_copy, folder, env, remote):
    """Return a copy of the finished project whose remote has all but what is ``LEFT``."""
    maker = Path(shutil.copytree(finished_copy, folder / "maker", symlinks=True))
    for run in (maker / ".dvc/cache/runs").glob("*/*/*"):
        if yaml.safe_load(run.read_text())["cmd"].endswith(LEFT):
            run.unlink()
    stages = yaml.safe_load((maker / "dvc.lock").read_text())["stages"]
    left = {command.removeprefix("pipelines.").replace(" ", "@") for command in LEFT}
    said_by(maker, env, "dvc", "remote", "add", "--local", "--default", "shared", str(remote))
    said_by(maker, env, "dvc", "push", "--run-cache", *(stage for stage in stages if stage not in left))
    return maker


def text_of(maker, env, methods):
    """Return the text of a params.yaml where ``methods`` train for so many epochs, and run all that comes before."""
    path = maker / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["methods"] |= {name: {"method": "short", "epochs": epochs} for name, epochs in methods.items()}
    params["compare"] = dict.fromkeys(["full", *methods], "none")
    # No other warm-up is run, nor named by another section.
    params["warm_ups"] = {"none": {"epochs": 0}}
    params = {key: value for key, value in params.items() if key not in ("study", "advise")} | {"diagnose": {"warm_up": "none"}}
    params["tasks"]["digits"]["training"]["epochs"] = LONG
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    before = [f"subset@{name}" for name in params["compare"]]
    said_by(maker, env, "dvc", "repro", *before)
    said_by(maker, env, "dvc", "push", "--run-cache", "plan", "warm_up@none", *before)
    return path.read_text()


class Place:
    """Servers and agents, and what is asked of them."""

    def __init__(self, folder, env, clones, texts):
        self.folder, self.env, self.clones, self.texts = folder, env, clones, texts
        held = json.loads((clones["servers"] / ".winnow/services.json").read_text())["processes"]
        self.servers = {process["name"]: psutil.Process(process["pid"]) for process in held}
        self.again = []
        at = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clones["user"], check=True, capture_output=True, text=True)
        self.revision = at.stdout.strip()

    def ask(self, path, body=None):
        return asked(f"{self.env['PREFECT_API_URL']}/{path}", body)

    def send(self, deployment, **parameters):
        given = {"parameters": {"revision": self.revision, **parameters}, "state": {"type": "SCHEDULED"}}
        return self.ask(f"deployments/{self.ask(f'deployments/name/{deployment}')['id']}/create_flow_run", given)["id"]

    def state(self, run):
        return self.ask(f"flow_runs/{run}")["state"]

    def end_of(self, run):
        """Return the state in which a run has ended."""
        wait_for(lambda: self.state(run)["type"] in ENDED, lambda: self.told(run), pause=0.5)
        return self.state(run)

    def lines(self, run):
        asked_for = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return [line["message"] for line in self.ask("logs/filter", asked_for)]

    def wait_for_checkpoint(self, run, name):
        copies = self.folder / "copies"
        wait_for(lambda: list(copies.glob(f"train.{name}.*.safetensors")), lambda: self.told(run))

    def told(self, run):
        return "\n".join([str(self.state(run)), *self.lines(run)])

    def busy(self):
        """Return the clones of gpu-pool's agents that have something to do."""
        return [self.clones[name] for name in ("one", "two") if len(family(self.clones[name])) > 1]

    @contextmanager
    def without(self, name):
        """Kill a server, and start the same again afterwards."""
        process = self.servers[name]
        command, env, folder = process.cmdline(), process.environ(), process.cwd()
        killed = [process, *process.children(recursive=True)]
        signal_all(killed, signal.SIGKILL)
        psutil.wait_procs(killed, 10)
        yield
        with (self.folder / f"{name}.log").open("ab") as log:
            again = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        self.again.append(again)
        self.servers[name] = psutil.Process(again.pid)
        health = self.env["PREFECT_API_URL"] if name == "prefect" else self.env["MLFLOW_TRACKING_URI"]
        wait_for(lambda: answers(f"{health}/health"), lambda: (self.folder / f"{name}.log").read_text(), again)


def answers(address):
    with suppress(OSError), urllib.request.urlopen(address, timeout=5):
        return True
    return False
