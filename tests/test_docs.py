"""What the docs tell a newcomer to copy can be copied."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from pipelines.core import artifacts
from pipelines.plan import plan
from pipelines.prepare import prepare
from tests.conftest import ROOT


@pytest.mark.slow
def test_the_first_example_of_extending_runs_without_the_hub(write_params, tmp_path):
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL)[1]
    told = yaml.safe_load(example)
    folder = write_params(told | {"compare": {"full": "none"}, "diagnose.warm_up": "none"})
    Path(folder, "data").mkdir(exist_ok=True)
    with Path(folder, "data", "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "verdict"])
        rows.writerows([f"a film of {i} parts", "good" if i % 2 else "bad"] for i in range(40))
    plan()
    prepare()
    assert artifacts.read_json(artifacts.MANIFEST)["classes"] == ["bad", "good"]
