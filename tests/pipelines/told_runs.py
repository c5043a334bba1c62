"""A client of MLflow that keeps in memory what it is told, for tests."""

import re
from types import SimpleNamespace

from pipelines.tracking.client import Tracker


class Page(list):
    """Runs that were found, on a single page."""

    token = None


class Told:
    """Takes the calls of a tracker.

    Attributes:
        runs: by id, as MLflow gives them.
        artifacts: run, folder and its name there, of each folder that was logged.
    """

    def __init__(self):
        self.runs, self.artifacts, self._made = {}, [], 0

    @property
    def tracker(self):
        return Tracker(self, "0", None, lock=None)

    def named(self, name):
        (run,) = [run for run in self.runs.values() if run.info.run_name == name]
        return run

    def create_run(self, experiment, run_name, tags):
        self._made += 1
        info = SimpleNamespace(run_id=f"run-{self._made}", run_name=run_name, status="RUNNING")
        run = SimpleNamespace(info=info, data=SimpleNamespace(tags=dict(tags), params={}, metrics={}))
        self.runs[info.run_id] = run
        return run

    def get_run(self, run_id):
        return self.runs[run_id]

    def search_runs(self, experiments, asked, page_token=None):
        tag, value = re.fullmatch(r"tags\.`(.+)` = '(.*)'", asked).groups()
        return Page(run for run in self.runs.values() if run.data.tags.get(tag) == value)

    def search_logged_models(self, experiments, asked):
        return []

    def log_batch(self, run_id, metrics=(), params=(), tags=()):
        data = self.runs[run_id].data
        data.metrics |= {m.key: m.value for m in metrics}
        data.params |= {p.key: p.value for p in params}
        data.tags |= {t.key: t.value for t in tags}

    def log_artifacts(self, run_id, folder, name):
        self.artifacts.append((run_id, folder, name))

    def set_tag(self, run_id, tag, value):
        self.runs[run_id].data.tags[tag] = value

    def delete_tag(self, run_id, tag):
        del self.runs[run_id].data.tags[tag]

    def set_terminated(self, run_id, status):
        self.runs[run_id].info.status = status

    def delete_run(self, run_id):
        del self.runs[run_id]
