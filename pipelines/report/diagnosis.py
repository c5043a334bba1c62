"""Page of a diagnosis, and its lines for terminal and comparison page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from rich.console import Console

from pipelines.core.artifacts import DIAGNOSIS
from pipelines.data.findings.records import Advice, Example, Findings, Suspect
from pipelines.data.manifest import Manifest
from pipelines.report import page as report_page
from pipelines.report.page import NOTHING, Section, Table, number
from pipelines.report.run_results import prepared
from pipelines.report.sections.examples import picture, shape_of

#: The most suspects and classes on a page.
SUSPECTS, CLASSES = 25, 30
#: The most characters shown of a text.
LONGEST = 200


def page(findings: Findings, suspects: Sequence[Suspect], manifest: Manifest) -> str:
    """Return the page of a diagnosis."""
    sections = [
        _duplicates(findings),
        *_classes(findings),
        *_labels(findings, suspects, manifest),
        *_gradient(findings),
        _shift(findings),
    ]
    counts = f"{manifest.counts.test:,} test, {manifest.counts.train:,} train"
    facts = [
        ("command", "dvc repro diagnose (make diagnose)"),
        ("warm-up", findings.warm_up),
        ("data", f"{manifest.task}: {counts}; sha256 {manifest.content}; split with seed {manifest.seed}"),
        ("licence", str(manifest.licence)),
        ("citation", str(manifest.citation)),
    ]
    return report_page.render(f"{findings.task}: what is in the data", lines(findings), sections, facts)


def of_comparison() -> list[Section]:
    """Return the diagnosis section of a comparison's page."""
    findings = Findings.written()
    text = [*lines(findings), "The suspects, the duplicates and all tables are in results/diagnose/report.html."]
    return [Section("What is in the data", text)]


def show(findings: Findings) -> None:
    """Print the diagnosis."""
    console = Console()
    for line in lines(findings):
        console.print(line, markup=False, highlight=False)
    console.print(f"written to {DIAGNOSIS}/ (report.html, suspects.csv, duplicates.csv, json)")


def lines(findings: Findings) -> list[str]:
    """Return the diagnosis in sentences, the recommendation first."""
    found = [_advice(findings.advice)]
    if (wrong := findings.wrong_labels) is not None:
        found.append(
            f"About {_percent(wrong.rate)} of the labels are contradicted; {wrong.suspects:,} are named as probably wrong."
        )
    if (gradient := findings.gradient) is not None:
        top, size = _percent(gradient.shares["0.1"]), gradient.effective_sample_size
        found.append(f"A tenth of the examples has {top} of the gradient; the effective sample size is {size:.2f} of all.")
    copies = findings.duplicates
    found.append(
        f"Training has {copies.train_exact:,} exact and {copies.train_near:,} near duplicates; "
        f"{copies.leaked_exact + copies.leaked_near:,} rows of the test split are in training."
    )
    shift = findings.shift
    found.append(
        f"A linear classifier tells {shift.one} from {shift.other} with an AUC of {shift.auc:.3f}, where 0.5 is chance."
    )
    return found


def measures(findings: Findings) -> dict[str, float]:
    """Return the diagnosis as numbers by name."""
    copies = findings.duplicates
    found = {
        "train_exact": float(copies.train_exact),
        "train_near": float(copies.train_near),
        "leaked_exact": float(copies.leaked_exact),
        "leaked_near": float(copies.leaked_near),
        "shift_auc": findings.shift.auc,
    }
    if findings.gradient is not None:
        found["effective_sample_size"] = findings.gradient.effective_sample_size
    if findings.wrong_labels is not None:
        found |= {"wrong_labels": findings.wrong_labels.rate, "suspects": float(findings.wrong_labels.suspects)}
    return found


def _advice(advice: Advice) -> str:
    if advice.method is None or advice.cost is None:
        return f"Select nothing: take the short schedule. {advice.why}"
    settings = ", ".join(f"{key}: {value}" for key, value in advice.settings.items())
    start = "" if advice.warm_up is None else f", from a warm-up with nearness: {advice.warm_up['nearness']}"
    saved = f"At most {_percent(1 - advice.cost)} of the cost of full is saved."
    return f"Try {advice.method} ({settings}{start}). {advice.why} {saved}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _duplicates(findings: Findings) -> Section:
    copies = findings.duplicates
    rows = [
        ["within training", f"{copies.train_exact:,}", f"{copies.train_near:,}"],
        ["of the test split, in training", f"{copies.leaked_exact:,}", f"{copies.leaked_near:,}"],
    ]
    text = [
        "By the model's input: token ids, pixels or values. Exact duplicates are equal to the byte; near ones share four "
        "fifths of their parts (token trigrams, squares of an image, values), and the pixels of near images are correlated. "
        f"{copies.sought:,} rows were searched for near ones. duplicates.csv lists all."
    ]
    return Section("Duplicates", text, Table(["", "exact", "near"], rows))


def _classes(findings: Findings) -> list[Section]:
    if not findings.classes:
        return []
    trained = findings.classes[0].right is not None
    heads = ["class", "rows"] + (["right, %", "early", "late", "forgotten", "never", "wrong labels, %"] if trained else [])
    shown = sorted(findings.classes, key=lambda c: (c.right or 0.0, -c.rows))[:CLASSES]
    rows = [[c.name, f"{c.rows:,}", *(number(100 * share, 1) for share in c.shares)] for c in shown]
    text = ["Least learnt first." if trained else "No warm-up: only the numbers of rows."]
    if trained:
        text = [
            "Least learnt first, by the predictions that the warm-up last recorded. Early: right at the end and in the mean "
            "over the warm-up; late: right only at the end; forgotten: right before, wrong at the end; never: not known to "
            "have been right. In % of the class's rows."
        ]
    if (more := len(findings.classes) - len(shown)) > 0:
        text.append(f"diagnosis.json has {more} more classes.")
    return [Section("Classes", text, Table(heads, rows))]


def _labels(findings: Findings, suspects: Sequence[Suspect], manifest: Manifest) -> list[Section]:
    if findings.wrong_labels is None:
        return []
    image = manifest.kind == "image"
    table = prepared("train") if image else None

    def shown(example: Example) -> str:
        if table is not None:
            return picture(table["pixels"][example.row].values.to_numpy(), shape_of(manifest))
        text = example.told or NOTHING
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    heads = ["id", "example", "given", "likely", "sure", "most like it with the likely label"]
    rows = []
    for s in suspects[:SUSPECTS]:
        near = [shown(example) for example in s.near]
        like = Markup(" ").join(near) if image else " | ".join(near)
        rows.append([str(s.example.id), shown(s.example), s.given, s.likely, number(s.sure, 2), like])
    text = [
        f"{len(suspects):,} labels that the model contradicts, the surest first: by the probability of the likely class minus "
        "that of the given one, in the mean over the warm-up. Their number follows from how often each label is contradicted "
        "among the half of the examples that the model is surest of. All are in suspects.csv for review."
    ]
    prose = frozenset() if image else frozenset({1, 5})
    return [Section("Labels that are probably wrong", text, Table(heads, rows, prose=prose) if rows else None)]


def _gradient(findings: Findings) -> list[Section]:
    if findings.gradient is None:
        return []
    size = findings.gradient.effective_sample_size
    rows = [[f"{100 * float(share):g} %", number(100 * part, 1)] for share, part in findings.gradient.shares.items()]
    text = [
        "The share of the sum of all gradient norms g (of the loss by the output, as last recorded) that comes from the "
        f"examples with the largest. The effective sample size, (sum g)² / (N sum g²), is {size:.3f}: drawing that share of "
        "the examples by importance has the variance of a blind draw of all."
    ]
    return [Section("How few examples the gradient comes from", text, Table(["of the examples", "of the gradient, %"], rows))]


def _shift(findings: Findings) -> Section:
    shift, (own, others) = findings.shift, findings.shift.rows
    text = [
        f"How well a linear classifier of the inputs tells {shift.one} from {shift.other}, on examples that it was not "
        f"trained on: an AUC of {shift.auc:.3f} ± {shift.error:.3f}, {own:,} and {others:,} rows. "
        "0.5 is chance, as for two parts of one data set; near 1 the two are of different kinds."
    ]
    return Section(f"How far {shift.one} is from the {shift.other}", text)
