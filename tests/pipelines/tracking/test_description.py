"""The note of a run fits into a tag of MLflow."""

import pytest

from pipelines.report.page import Section, Table
from pipelines.tracking.description import NOTE, note
from pipelines.tracking.run_facts import LONGEST_TAG


@pytest.mark.parametrize("rows", [3, 500])
def test_a_note_fits_into_a_tag_with_its_headline_whole(rows):
    table = Table(["method", "accuracy"], [[f"a|b{i}", "0.98 ± 0.01"] for i in range(rows)])
    said = note(["full has 0.98.", "One seed."], Section("Methods", ["higher is better"], table), "compare")[NOTE]
    assert said.startswith("full has 0.98.\nOne seed.\n\n| method | accuracy |\n| --- | ---: |\n| a/b0 | 0.98 ± 0.01 |\n")
    assert said.endswith("higher is better\n\nFigures, tables and report.html: under Artifacts, in `compare`.")
    assert len(said) <= LONGEST_TAG
    assert ("| ... |" in said) == (rows == 500)
