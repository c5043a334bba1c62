"""A stage that is run by itself says where its plan is not of params.yaml as it is now."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.config import plan_freshness
from pipelines.plan import plan
from tests.conftest import ROOT

LINE = "params.yaml was changed after the plan was made; the old plan is run"


def test_an_edit_after_the_plan_is_said_until_it_is_planned_again(write_params, capsys):
    write_params({"task": "digits"})
    plan()
    capsys.readouterr()
    plan_freshness.check_plan()
    assert capsys.readouterr().err == ""
    path = Path("params.yaml")
    before = path.read_text()
    path.write_text("# A comment.\n" + before)
    plan_freshness.check_plan()
    assert capsys.readouterr().err == ""
    path.write_text(re.sub("seed: 0", "seed: 1", before, count=1))
    for _ in range(2):
        plan_freshness.check_plan()
        assert LINE in capsys.readouterr().err
    path.write_text("task: [")
    plan_freshness.check_plan()
    assert LINE in capsys.readouterr().err
    path.write_text(re.sub("seed: 0", "seed: 1", before, count=1))
    plan()
    capsys.readouterr()
    plan_freshness.check_plan()
    assert capsys.readouterr().err == ""


def test_what_no_plan_is_made_of_may_change(write_params, capsys):
    write_params({"task": "digits"})
    plan()
    capsys.readouterr()
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("pools:", "pools: # of agents", 1))
    params = yaml.safe_load(path.read_text())
    params["advise"]["seeds"] = [5]
    path.write_text(yaml.safe_dump(params))
    plan_freshness.check_plan()
    assert capsys.readouterr().err == ""


def test_dvc_and_the_plan_go_by_the_same_sections():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert stages["plan"]["params"] == list(plan_freshness.PLANNED)


@pytest.mark.slow
def test_the_command_says_it(write_params, monkeypatch):
    folder = write_params({"task": "digits"})
    plan()
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("seed: 0", "seed: 1", 1))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run([sys.executable, "-m", "pipelines.prepare"], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr.count(LINE) == 1
