"""The documentation: what it tells to copy can be copied, its reference is that of the code, and the site builds."""

import csv
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.core import artifacts
from pipelines.plan import plan
from pipelines.prepare import prepare
from tests.conftest import ROOT


@pytest.mark.slow
def test_the_first_example_of_extending_runs_without_the_hub(write_params, tmp_path):
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "how-to" / "data.md").read_text(), re.DOTALL)[1]
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


def pages():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", ["params.md", "environment.md", "files.md"])
def test_the_reference_is_that_of_the_code(name):
    (path, text), *_ = ((path, text) for path, text in pages().items() if path.name == name)
    assert path.read_text(encoding="utf-8") == text, "run 'make docs'"


@pytest.mark.slow
def test_the_site_builds_and_no_link_is_broken(tmp_path):
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs", tmp_path / "site"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = {path.relative_to(tmp_path / "site").with_suffix("") for path in (tmp_path / "site").rglob("*.html")}
    assert {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")} <= built


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("*.md")), ROOT / "data" / "README.md"], ids=lambda page: page.name)
def test_links_of_pages_outside_the_site_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if ":" not in link and not (page.parent / link).exists()]
    assert not lost
