"""HTML page without external files: headline, tables, charts, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipelines.core import artifacts
from pipelines.costs.records import CostRecord
from pipelines.data import summary
from pipelines.data.manifest import Manifest
from pipelines.report.charts import to_svg
from pipelines.versioning.provenance import commit

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "–"  # noqa: RUF001 - a dash


@dataclass(frozen=True)
class Table:
    """A table of texts, each row's first its name; ``Markup`` is not escaped.

    Attributes:
        heads: headings of the columns.
        rows: texts by row and column.
        best: entries to highlight, by row and column.
        prose: columns of running text, which is wrapped.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = frozenset()
    prose: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """A chart as an SVG element of the page."""

    svg: Markup
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page: title, text, table and charts."""

    title: str
    text: Sequence[str] = ()
    table: Table | None = None
    figures: Sequence[Drawing] = field(default=())


@dataclass(frozen=True)
class Figure:
    """A single number with its label and interval."""

    value: str
    label: str
    interval: str


@dataclass(frozen=True)
class Verdict:
    """The first screen of a page: a sentence, numbers and a chart."""

    sentence: str
    figures: Sequence[Figure] = ()
    chart: Drawing | None = None


def render(
    title: str,
    headline: Sequence[str],
    sections: Iterable[Section],
    facts: Sequence[tuple[str, str]],
    verdict: Verdict | None = None,
) -> str:
    """Return the page as HTML; everything but drawings is escaped.

    Args:
        title: of the page.
        headline: lines below the title.
        sections: in order.
        facts: provenance, by name.
        verdict: shown first, everything else folded below it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = pages.get_template("report.html")
    return page.render(title=title, headline=headline, sections=list(sections), facts=facts, verdict=verdict) + "\n"


def write(path: Path, page: str) -> None:
    """Write the page atomically to ``path``."""
    with artifacts.whole(path) as part:
        part.write_text(page, encoding="utf-8")


def drawing(figure: MatplotlibFigure, name: str, caption: str) -> Drawing:
    """Return ``figure`` as an SVG element; the caption is also its alternative text."""
    return Drawing(Markup(to_svg(figure, name, caption)), caption)


def provenance(manifest: Manifest, cost: CostRecord, seeds: Sequence[int], command: str) -> list[tuple[str, str]]:
    """Return the provenance of the results (data, code, machine, energy meter), by name."""
    machine, energy = cost.machine, cost.metered
    assert machine is not None, "the record of a training"
    threads = f"{machine.threads} thread{'s' * (machine.threads != 1)} on {machine.cores} cores"
    processor = energy.cpu_model or machine.processor
    counts = f"{manifest.counts.test:,} test, {manifest.counts.train:,} train"
    cuts = [cut for key in ("max_length", "max_target_length") if (cut := summary.truncation(manifest, key))]
    same = summary.repeated(manifest)
    return [
        ("command", command),
        ("seeds of training" if len(seeds) > 1 else "seed", ", ".join(map(str, seeds))),
        ("data", f"{manifest.task}: {counts}; sha256 {manifest.content}; split with seed {manifest.seed}"),
        *([("texts", "; ".join(cuts))] if cuts else []),
        *([("duplicates", "; ".join(same))] if same else []),
        ("licence", str(manifest.licence)),
        ("citation", str(manifest.citation)),
        ("commit", commit() or NOTHING),
        ("versions", f"Python {machine.python}, torch {machine.torch}"),
        ("machine", f"{machine.device}, {threads}; {processor}; {machine.platform}"),
        ("energy", f"{energy.label}: {energy.method}; {energy.reason}"),
    ]


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with ``digits`` decimals, or a dash for None."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def with_error(value: float | None, error: float | None, digits: int | None = None) -> str:
    """Return a value and its error, if any, with ``digits`` decimals (default: 4, 2 from 10 on)."""
    if digits is None:
        digits = 4 if value is None or abs(value) < 10 else 2
    return number(value, digits) if error is None else f"{number(value, digits)} ± {error:.{digits}f}"
