"""Every number of a report, computed once more from the raw files by pandas, and compared with the trials of the page."""

import json
from html.parser import HTMLParser

import pandas as pd
import pytest

from pipelines.report.page import NOTHING

EPOCHS = 6
COMPARED = {"full": "none", "uniform": "none", "swiftlearn": "two-epochs", "adaselection": "none"}
STAGES = ("warm_up", "subset", "train")


class Tables(HTMLParser):
    """Reads the tables of a page, by the heading above each: row -> column -> text, and ``lines`` as they stand."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.lines, self._title, self._rows, self._cell = {}, {}, "", [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td", "h2"):
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag == "h2":
            self._title = self._cell
        elif tag in ("th", "td"):
            self._rows[-1].append(self._cell)
        elif tag == "table":
            self.lines[self._title] = self._rows
            heads, *rows = self._rows
            self.tables[self._title] = {row[0]: dict(zip(heads, row, strict=True)) for row in rows}
        if tag in ("th", "td", "h2"):
            self._cell = None


def near(text, value, by=1.0):
    """Return whether a trial tells ``by * value``, as far as its digits go."""
    told = text.split(" ±")[0].replace(",", "")
    digits = len(told.partition(".")[2])
    return float(told) == pytest.approx(by * value, abs=0.51 * 10**-digits)


class Raw:
    """The raw files of a finished comparison, and what the methods' papers make of them."""

    def __init__(self, folder):
        self.results = folder / "results"
        self.train = self._arrow("train")
        self.cost = {p.stem: json.loads(p.read_text()) for p in (self.results / "cost").glob("*.json")}
        self.offered = EPOCHS * len(self.train)
        laps = self.cost["train.full"]["laps"]
        self.forward, self.backward = (laps[p]["cpu_seconds"] / laps[p]["examples"] for p in ("forward", "backward"))

    def _arrow(self, split):
        import pyarrow as pa

        with pa.OSFile(str(self.results / f"prepare/{split}.arrow")) as file:
            return pa.ipc.open_stream(file).read_all().select(["id", "label"]).to_pandas()

    def table(self, stage, name, file):
        return pd.read_parquet(self.results / stage / name / f"{file}.parquet")

    def stages(self, name):
        return [self.cost[f"{s}.{COMPARED[name] if s == 'warm_up' else name}"] for s in STAGES]

    def seconds(self, name):
        return sum((c["laps"].get("train") or c["laps"].get("select", {})).get("cpu_seconds", 0.0) for c in self.stages(name))

    def watt_hours(self, name):
        return 1000 * sum(c["energy"]["kwh"] for c in self.stages(name) if "energy" in c)

    def counted(self, name):
        ledger = self.table("train", name, "ledger")
        return ledger.looked.sum() * self.forward + ledger.trained.sum() * (self.forward + self.backward)

    def accuracy(self, name):
        predictions = self.table("evaluate", name, "predictions")
        return (predictions.target == predictions.predicted).mean()


def check(folder):
    """Compare the page of the comparison in ``folder`` with its raw files."""
    raw, page = Raw(folder), Tables((folder / "results/compare/report.html").read_text()).tables
    base = json.loads((folder / "results/evaluate/full/metrics.json").read_text())["base_accuracy"]
    for name in COMPARED:
        _check_method(raw, page, name, base)
        _check_energy(raw, page, name)
        _check_classes(raw, page, name)


def _check_method(raw, page, name, base):
    ledger, row, times = raw.table("train", name, "ledger"), page["Methods"][name], page[TIMES][name]
    looked, trained = ledger.looked.sum(), ledger.trained.sum()
    kept = trained if looked else 0  # of a method that looks at everything, all that is trained was looked at before
    whole = raw.offered * (raw.forward + raw.backward)
    measured, counted = raw.seconds(name) / raw.seconds("full"), raw.counted(name) / whole
    gain = (raw.accuracy(name) - base) / (raw.accuracy("full") - base)
    alpha_b, alpha_fb = (looked - kept) / raw.offered, 1 - (looked - kept + trained) / raw.offered
    told = [
        (row["trained"], trained), (row["looked at"], looked), (row["CPU s"], raw.seconds(name)),
        (row["accuracy"], raw.accuracy(name)), (row["time counted"], counted), (row["time measured"], measured),
        (row["AGOT"], gain * measured**-0.05), (times["T measured, s"], raw.seconds(name)),
        (times["T_norm counted"], counted), (times["T_norm measured"], measured),
        (times["AGOT measured"], gain * measured**-0.05), (times["speed-up"], 1 / measured),
        (times["its ceiling"], 1 / counted), (times["share of it, %"], 100 * counted / measured),
        (times["alpha_b %"], 100 * alpha_b), (times["alpha_fb %"], 100 * alpha_fb),
        (times["T paper, s"], (alpha_b * raw.forward / (raw.forward + raw.backward) + 1 - alpha_b - alpha_fb) * whole),
    ]  # fmt: skip
    for text, value in told:
        assert near(text, value), (name, text, value)


TIMES = "What was skipped, and the ceilings of the speed-ups"


def _check_energy(raw, page, name):
    energy, stages = page["Energy and emissions"][name], page["Energy by stage, and what was saved"][name]
    spent = raw.watt_hours(name)
    told = [energy[f"{label}, Wh"] for label in ("measured", "estimated")]
    assert sum(float(t) for t in told if t != NOTHING) == pytest.approx(spent, rel=0.01)
    assert float(stages["all"]) == pytest.approx(spent, rel=0.01)
    for other in ("full", "uniform"):
        saved = raw.watt_hours(other) - spent
        text = stages[f"less than {other}"]
        assert text == NOTHING if name == other else float(text) == pytest.approx(saved, rel=0.01)
    modelled = 1.58 * raw.seconds(name) / 3600 * (65 + 8)
    assert float(energy["modelled, Wh"]) == pytest.approx(modelled, rel=0.01)


def _check_classes(raw, page, name):
    ledger = raw.table("train", name, "ledger").merge(raw.train, on="id")
    shares = ledger.groupby("label").trained.agg(["sum", "count"])
    predictions = raw.table("evaluate", name, "predictions")
    hits = (predictions.target == predictions.predicted).groupby(predictions.target).mean()
    for label in range(10):
        share = shares.loc[label, "sum"] / shares.loc[label, "count"] / EPOCHS
        assert near(page["Trained, by class"][str(label)][name], 100 * share), (name, label)
        assert near(page["Accuracy, by class"][str(label)][name], 100 * hits[label]), (name, label)
    assert near(page["Trained, by class"]["all"][name], 100 * ledger.trained.sum() / raw.offered)


@pytest.mark.slow
def test_the_page_says_what_pandas_makes_of_the_raw_files(compared, copy_of_finished):
    compared("digits", COMPARED)
    check(copy_of_finished)
    _check_ends(Raw(copy_of_finished), copy_of_finished)


def _check_ends(raw, folder):
    """Compare the examples at both ends of the subset's score, the seconds of the stages, and those of the epochs."""
    cost = raw.cost["train.full"]
    spent = [end["cpu_seconds"] for end in cost["ends"]]
    assert [end["epoch"] for end in cost["ends"]] == list(range(EPOCHS))
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(cost["laps"]["train"]["cpu_seconds"], rel=0.01)
    assert cost["ends"][-1]["kwh"] == pytest.approx(cost["energy"]["kwh"], rel=0.2)
    lines = Tables((folder / "results/compare/report.html").read_text()).lines
    shown = lines["swiftlearn: the most and the least important examples"]
    scores = raw.table("warm_up", "two-epochs", "scores")
    for start, ends in ((1, scores.nlargest(10, "change")), (5, scores.nsmallest(10, "change"))):
        assert shown[start + 3][1:] == [str(i) for i in ends.id]
        assert [float(t) for t in shown[start + 2][1:]] == pytest.approx(list(ends.change), rel=1e-3)
        labels = raw.train.set_index("id").label
        assert shown[start + 1][1:] == [str(labels[i]) for i in ends.id]
    spent = [line for line in lines["Where the time went"] if line[0] == "swiftlearn"]
    column = lines["Where the time went"][0].index("CPU s")
    assert sum(float(line[column]) for line in spent) == pytest.approx(raw.seconds("swiftlearn"), abs=0.002)
