"""The data of the task debian-summaries: the command in its page, on package lists of a test's own."""

import os
import re
import subprocess

import pytest

from pipelines.sources.tables import from_files
from tests.conftest import ROOT, defaults
from tests.pipelines.records import task_plan

PAGE, MADE = ROOT / "docs/how-to/sequences.md", "data/debian-summaries.tsv"


def stanza(short, *long):
    return f"Package: p\nDescription-md5: 1\nDescription-en: {short}\n" + "".join(f" {line}\n" for line in long) + "\n"


#: Two packages of one description, two of one line, a tab and quotes, an empty line within, and one without a description.
STANZAS = [
    stanza("a cat", "A cat that", "purrs.", ".", " * and bites"),
    stanza("a dog", "A dog."),
    stanza("a dog in short", "A dog."),
    stanza("a dog", "Another dog."),
    stanza('an "owl", größer', "The\towl."),
    stanza("nothing more"),
]


@pytest.fixture
def make(tmp_path):
    """Return what the command makes of translations with the given stanzas."""
    command = re.search(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert "/usr/lib/apt/apt-helper cat-file" in command
    command = command.replace("/usr/lib/apt/apt-helper cat-file", "cat")
    lists = tmp_path / "list_i18n_Translation-en"
    tool = tmp_path / "apt-get"
    tool.write_text(f'#!/bin/sh\n[ "$1" = indextargets ] && printf "%s\\n" "{lists}" "{tmp_path}/list_Translation-de"\n')
    tool.chmod(0o755)
    (tmp_path / "data").mkdir()

    def run(stanzas):
        lists.write_text("".join(stanzas), encoding="utf-8")
        env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env, check=True)
        return (tmp_path / MADE).read_bytes()

    return run


def test_the_command_makes_what_the_task_reads(make, tmp_path, monkeypatch):
    make(STANZAS)
    task = defaults()["tasks"]["debian-summaries"]
    planned = task_plan(**{key: task[key] for key in ("kind", "source", "columns")})
    monkeypatch.chdir(tmp_path)
    raw = from_files(planned.source, planned)
    assert dict(zip(raw.inputs["source"], raw.inputs["target"], strict=True)) == {
        "A cat that purrs.  * and bites": "a cat",
        "A dog.": "a dog",
        "The owl.": 'an "owl", größer',
    }


def test_the_same_lists_are_the_same_bytes(make):
    assert make(STANZAS) == make(reversed(STANZAS))
