"""The command of a diagnosis runs what it needs, publishes and prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core.artifacts import read_json
from pipelines.data.findings.records import Findings
from pipelines.report.diagnosis import lines


@pytest.mark.slow
def test_the_command_runs_what_it_needs_and_prints_it_again(copy_of_finished):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run():
        command = [sys.executable, "-m", "pipelines.diagnosis"]
        env = environment | {"PATH": path, "PYTHONWARNINGS": ""}
        return subprocess.run(command, cwd=copy_of_finished, env=env, capture_output=True, text=True, check=True)

    told = read_json(copy_of_finished / "results/diagnose/diagnosis.json")
    first = lines(Findings.of(told))[0].split(".")[0]
    assert first in run().stdout.replace("\n", " ")
    (copy_of_finished / "results/diagnose/diagnosis.json").unlink()
    assert first in run().stdout.replace("\n", " ")
    assert read_json(copy_of_finished / "results/diagnose/diagnosis.json") == told
    page = (copy_of_finished / "results/compare/report.html").read_text()
    assert "What is in the data" in page
