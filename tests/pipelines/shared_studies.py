"""Machines of a test that share a study through one remote."""

import json
import os

import pytest

from pipelines.config.loader import load
from pipelines.core import artifacts
from pipelines.trials import bundle, exchange, runner
from pipelines.trials import study_folder as trials_folder
from pipelines.trials.exchange import Handover
from pipelines.trials.grid import grid_of
from pipelines.trials.plan_files import lay_out
from tests.conftest import ROOT
from tests.pipelines.records import cost_record

STUDY = {"methods": {"swiftlearn": "two-epochs", "infobatch": "none"}, "fractions": [0.5], "seeds": [0, 1]}
#: What training counts, from which the controls of a cell are planned.
COST = cost_record(counts={"examples": 100, "drawn": 450, "looked": 0, "trained": 450, "kept": 0, "steps": 45})


@pytest.fixture
def there(tmp_path):
    return tmp_path / "remote"


@pytest.fixture
def machine(tmp_path, there, write_params, monkeypatch):
    """Go to one of several machines with the project's code and the same remote; return the place of its study."""

    def go(name, changes=None, *, shared=True):
        folder = tmp_path / name
        (folder / ".dvc").mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        write_params({"task": "digits", "study": STUDY} | (changes or {}))
        for code in ("components", "pipelines", "dvc.yaml"):
            if not (folder / code).exists():
                (folder / code).symlink_to(ROOT / code)
        remotes = f"    remote = there\n['remote \"there\"']\n    url = {there}\n" if shared else ""
        (folder / ".dvc/config").write_text(f"[core]\n    no_scm = True\n{remotes}")
        read = load()
        return lay_out(read, grid_of(read))

    return go


def run(place, seed, name):
    """Pretend that a cell has run: every file of its parts is there, and of a size of its own."""
    trials_folder.link_data(place.of(seed))
    for part in (bundle.data_of(place), *bundle.parts_of(place, seed, name)):
        for number, path in enumerate(part.paths):
            for file in ("manifest.json", "train.arrow", "test.arrow") if path == artifacts.PREPARED else ("",):
                target = part.folder / path / file
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(
                        json.dumps(COST.dumped()).encode() if "cost" in path.parts else os.urandom(700 * number + 1)
                    )
        for address, key in part.marks.items():
            artifacts.write_json(part.folder / trials_folder.mark_of(address), key)


def shared(place, *names, seed=0):
    """Pretend that cells have run, and hand them over."""
    for name in names:
        run(place, seed, name)
    handed = Handover()
    for name in names:
        handed.share(place, seed, name)


@pytest.fixture
def running(monkeypatch):
    """Let cells run in no time, those that are named failing so; return which have been tried."""
    tried = []

    def runs(**errors):
        def cell(place, seed, name):
            tried.append(name)
            if error := errors.get(name.replace("-", "_")):
                raise error
            if place.grid[name].after:
                assert exchange._is_planned(place, seed, place.grid[name])
            run(place, seed, name)

        tried.clear()
        monkeypatch.setattr(runner, "run", cell)
        return tried

    return runs


def contents(folder, *, but=()):
    """Return the bytes of the files below ``folder``, without those below a folder that is called as one of ``but``."""
    found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file() and not set(p.parts) & set(but)}
    return {name: p.read_bytes() for name, p in found.items()}
