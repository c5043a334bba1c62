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

#: Suspects and classes on a page.
SUSPECTS, CLASSES = 25, 30
#: Characters of a text.
LONGEST = 200


def page(told: Findings, suspects: Sequence[Suspect], manifest: Manifest) -> str:
    """Return the page of what was found."""
    sections = [_duplicates(told), *_classes(told), *_labels(told, suspects, manifest), *_gradient(told), _shift(told)]
    counts = f"{manifest.counts.test:,} test, {manifest.counts.train:,} train"
    facts = [
        ("command", "dvc repro diagnose (make diagnose)"),
        ("warm-up", told.warm_up),
        ("data", f"{manifest.task}: {counts}; sha256 {manifest.content}; split with seed {manifest.seed}"),
        ("licence", str(manifest.licence)),
        ("citation", str(manifest.citation)),
    ]
    return report_page.render(f"{told.task}: what is in the data", lines(told), sections, facts)


def of_comparison() -> list[Section]:
    """Return what the page of a comparison has of the diagnosis."""
    told = Findings.written()
    text = [*lines(told), "The suspects, the duplicates and all tables are in results/diagnose/report.html."]
    return [Section("What is in the data", text)]


def show(told: Findings) -> None:
    """Print what was found."""
    console = Console()
    for line in lines(told):
        console.print(line, markup=False, highlight=False)
    console.print(f"written to {DIAGNOSIS}/ (report.html, suspects.csv, duplicates.csv, json)")


def lines(told: Findings) -> list[str]:
    """Return the diagnosis in sentences, what to run first."""
    found = [_advice(told.advice)]
    if (wrong := told.wrong_labels) is not None:
        found.append(
            f"About {_percent(wrong.rate)} of the labels are contradicted; {wrong.suspects:,} are named as probably wrong."
        )
    if (gradient := told.gradient) is not None:
        top, size = _percent(gradient.shares["0.1"]), gradient.effective_sample_size
        found.append(f"A tenth of the examples has {top} of the gradient; the effective sample size is {size:.2f} of all.")
    copies = told.duplicates
    found.append(
        f"Training has {copies.train_exact:,} exact and {copies.train_near:,} near duplicates; "
        f"{copies.leaked_exact + copies.leaked_near:,} rows of the test split are in training."
    )
    shift = told.shift
    found.append(
        f"A linear classifier tells {shift.one} from {shift.other} with an AUC of {shift.auc:.3f}, where 0.5 is chance."
    )
    return found


def measures(told: Findings) -> dict[str, float]:
    """Return what was found as numbers by name."""
    copies = told.duplicates
    found = {
        "train_exact": float(copies.train_exact),
        "train_near": float(copies.train_near),
        "leaked_exact": float(copies.leaked_exact),
        "leaked_near": float(copies.leaked_near),
        "shift_auc": told.shift.auc,
    }
    if told.gradient is not None:
        found["effective_sample_size"] = told.gradient.effective_sample_size
    if told.wrong_labels is not None:
        found |= {"wrong_labels": told.wrong_labels.rate, "suspects": float(told.wrong_labels.suspects)}
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


def _duplicates(told: Findings) -> Section:
    copies = told.duplicates
    rows = [
        ["within training", f"{copies.train_exact:,}", f"{copies.train_near:,}"],
        ["of the test split, in training", f"{copies.leaked_exact:,}", f"{copies.leaked_near:,}"],
    ]
    text = [
        "By what the model is given: token ids, pixels or values. Exact ones are the same to the byte; near ones share four "
        "fifths of their parts (threes of tokens, squares of a picture, values), and of pictures the pixels move together. "
        f"Near ones were sought among {copies.sought:,} rows. Which they are is in duplicates.csv."
    ]
    return Section("Duplicates", text, Table(["", "exact", "near"], rows))


def _classes(told: Findings) -> list[Section]:
    if not told.classes:
        return []
    trained = told.classes[0].right is not None
    heads = ["class", "rows"] + (["right, %", "early", "late", "forgotten", "never", "wrong labels, %"] if trained else [])
    shown = sorted(told.classes, key=lambda c: (c.right or 0.0, -c.rows))[:CLASSES]
    rows = [[c.name, f"{c.rows:,}", *(number(100 * share, 1) for share in c.shares)] for c in shown]
    text = ["Least learnt first." if trained else "No warm-up: rows alone."]
    if trained:
        text = [
            "Least learnt first, by what the warm-up's last sights showed. Early: right, and in the mean over all sights; "
            "late: right at last alone; forgotten: right before; never: not known to have been right. In % of the class's rows."
        ]
    if (more := len(told.classes) - len(shown)) > 0:
        text.append(f"{more} classes more are in diagnosis.json.")
    return [Section("Classes", text, Table(heads, rows))]


def _labels(told: Findings, suspects: Sequence[Suspect], manifest: Manifest) -> list[Section]:
    if told.wrong_labels is None:
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
        f"{len(suspects):,} labels that the model contradicts, the surest first: by how much more it believed the likely class "
        "than the given one, in the mean over the warm-up's sights. How many are named follows from how often each label is "
        "contradicted among the half of the examples that the model is surest of. All are in suspects.csv, to be judged."
    ]
    prose = frozenset() if image else frozenset({1, 5})
    return [Section("Labels that are probably wrong", text, Table(heads, rows, prose=prose) if rows else None)]


def _gradient(told: Findings) -> list[Section]:
    if told.gradient is None:
        return []
    size = told.gradient.effective_sample_size
    rows = [[f"{100 * float(share):g} %", number(100 * part, 1)] for share, part in told.gradient.shares.items()]
    text = [
        "The part of the sum of all gradients (norms of the loss by the output, at the last sight) that comes from the "
        f"examples with the largest. The effective sample size, (sum g)² / (N sum g²), is {size:.3f}: so large a part drawn by "
        "importance has the variance of a blind draw of all."
    ]
    return [Section("How few examples the gradient comes from", text, Table(["of the examples", "of the gradient, %"], rows))]


def _shift(told: Findings) -> Section:
    shift, (own, others) = told.shift, told.shift.rows
    text = [
        f"How well a linear classifier of the inputs tells {shift.one} from {shift.other}, on examples that it was not "
        f"trained on: an AUC of {shift.auc:.3f} ± {shift.error:.3f}, {own:,} and {others:,} rows. "
        "0.5 is chance, as of two parts of one data set; near 1 they are of different kinds."
    ]
    return Section(f"How far {shift.one} is from the {shift.other}", text)
