"""The data of the Debian study: the command in its file, on package lists of a test's own."""

import os
import subprocess
from collections import Counter

import pytest
import yaml

from pipelines.sources.tables import from_files
from tests.conftest import ROOT
from tests.pipelines.records import task_plan

FILE = ROOT / "docs/studies/debian.yaml"
MADE = "data/debian.tsv"


def stanza(section, description):
    return f"Package: p\nDescription: {description}\nTag: a,\n Section: none, a continued line\nSection: {section}\nSize: 1\n"


#: One description is another package's too, one has a tab and quotes, and mail has a row too few.
STANZAS = [
    *(stanza("games" if i % 2 else "contrib/games", f"game {i}: the best") for i in range(399)),
    *(stanza("libs", f"library {i}") for i in range(400)),
    *(stanza("mail", f"reader {i}") for i in range(399)),
    *[stanza("non-free/games", 'a "good"\tgame, größer')] * 2,
    *(stanza(section, "in two sections") for section in ("mail", "libs")),
    "Package: p\nSection: mail\nSize: 1\n",
]


@pytest.fixture
def make(tmp_path):
    """Return what the command makes where ``apt-cache dumpavail`` prints the given stanzas."""
    shown, lines = tmp_path / "shown", FILE.read_text(encoding="utf-8").splitlines()
    command = "\n".join(line.removeprefix("#   ") for line in lines if line.startswith("#   "))
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


def test_the_command_makes_what_the_study_reads(make, tmp_path, monkeypatch):
    made = make(STANZAS)
    assert made.startswith(b"section\ttext\n")
    task = yaml.safe_load(FILE.read_text(encoding="utf-8"))["tasks"]["debian"]
    planned = task_plan(**{key: task[key] for key in ("kind", "source", "columns")})
    monkeypatch.chdir(tmp_path)
    raw = from_files(planned.source, planned)
    assert Counter(raw.label.tolist()) == {"games": 400, "libs": 401}
    of = dict(zip(raw.inputs["text"], raw.label.tolist(), strict=True))
    assert len(of) == 801
    assert of['a "good" game, größer'] == of["game 0: the best"] == "games"
    assert of["in two sections"] == "libs"


def test_the_same_lists_are_the_same_bytes(make):
    assert make(STANZAS) == make(reversed(STANZAS))
