"""A stand-in of Prefect's server that gives one run's scripted answers."""

import logging
from types import SimpleNamespace
from uuid import uuid4

from prefect.client.schemas.objects import State, StateType

from pipelines.agents import run_watcher

LOG = logging.getLogger("test")
PENDING, RUNNING, SCHEDULED, CANCELLING = StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED, StateType.CANCELLING


class Server:
    """Answers of one run as Prefect's server does: what each look finds, a state's type and a beat, or an error."""

    def __init__(self, *script):
        self.script, self.now, self.forced, self.told = list(script), None, [], []

    def read_flow_run(self, run_id):
        self.now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(self.now, Exception):
            raise self.now
        name = self.now[1] if self.now[1] == run_watcher.LOST else None
        return SimpleNamespace(
            id=run_id,
            name="train@full",
            labels={"prefect.worker.name": "gpu-1"},
            work_pool_name="gpu-pool",
            state=State(type=self.now[0], name=name, message="agent gpu-1 sent no heartbeat" if name else None),
        )

    def read_workers_for_work_pool(self, pool):
        return [SimpleNamespace(name="gpu-1", last_heartbeat_time=self.now[1])]

    def read_artifacts(self, artifact_filter):
        return [SimpleNamespace(metadata_={"beat": self.now[1]})] if self.now[1] else []

    def set_flow_run_state(self, run_id, state, force):
        self.forced.append(state)

    def create_artifact(self, artifact):
        self.told.append(artifact)
        return SimpleNamespace(id=uuid4())

    def update_artifact(self, artifact_id, artifact):
        self.told.append(artifact)
