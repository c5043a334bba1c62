"""The data of the task debian-questions: the command in its page, on package lists of a test's own."""

import os
import re
import subprocess

import pytest

from pipelines.sources.tables import from_files
from tests.conftest import ROOT, defaults
from tests.pipelines.records import task_plan

PAGE, MADE = ROOT / "docs/how-to/instructions.md", "data/debian-questions.tsv"
#: Two packages of one description, one package twice, a tab and quotes, and one without a description.
STANZAS = [
    "Package: cat\nDescription: purrs\n details\n",
    "Package: dog\nDescription: barks\n",
    "Package: fox\nDescription: barks\n",
    "Package: cat\nDescription: purrs too\n",
    'Package: owl\nSize: 1\nDescription: an "owl",\tgrößer\n',
    "Package: nothing\n",
]


@pytest.fixture
def make(tmp_path):
    """Return what the command makes where ``apt-cache dumpavail`` prints the given stanzas."""
    shown = tmp_path / "shown"
    (command,) = (c for c in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) if "apt-cache" in c)
    tool = tmp_path / "apt-cache"
    tool.write_text(f'#!/bin/sh\n[ "$*" = dumpavail ] && cat "{shown}"\n', encoding="utf-8")
    tool.chmod(0o755)
    (tmp_path / "data").mkdir()

    def run(stanzas):
        shown.write_text("".join(f"{text}\n" for text in stanzas), encoding="utf-8")
        env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env, check=True)
        return (tmp_path / MADE).read_bytes()

    return run


def test_the_command_makes_what_the_task_reads(make, tmp_path, monkeypatch):
    make(STANZAS)
    task = defaults()["tasks"]["debian-questions"]
    planned = task_plan(**{key: task[key] for key in ("kind", "source", "columns")})
    monkeypatch.chdir(tmp_path)
    raw = from_files(planned.source, planned)
    assert dict(zip(raw.inputs["prompt"], raw.inputs["response"], strict=True)) == {
        "What does the package cat do?": "purrs",
        "What does the package dog do?": "barks",
        "What does the package owl do?": 'an "owl", größer',
    }


def test_the_same_lists_are_the_same_bytes(make):
    assert make(STANZAS) == make(reversed(STANZAS))
