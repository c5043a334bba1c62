"""Description of a parent run in MLflow: headline and table as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.report.page import Section
from pipelines.tracking.run_facts import LONGEST_TAG

#: The tag that MLflow shows as a run's description.
NOTE = "mlflow.note.content"


def note(headline: list[str], section: Section, folder: str) -> dict[str, str]:
    """Return the description tag of a run, its table cut to MLflow's length limit.

    Args:
        headline: lines above the table.
        section: the table, and the text below it.
        folder: artifact folder that has report.html.
    """
    after = ["", *section.text, "", f"Figures, tables and report.html: under Artifacts, in `{folder}`."]
    lines = [*headline, "", *_rows(section)]
    while len("\n".join([*lines, *after])) > LONGEST_TAG:
        lines = [*lines[:-2], "| ... |"]
    return {NOTE: "\n".join([*lines, *after])}


def _rows(section: Section) -> list[str]:
    """Return the lines of a section's table: text to the left, numbers to the right."""
    if section.table is None:
        return []
    heads, rows = section.table.heads, section.table.rows
    return [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)]), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
