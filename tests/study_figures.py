"""Figures of studies and benchmarks, as the files of docs/ and benchmarks/ have them, with their intervals."""

import csv
import json
import re
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean, median, stdev

import pytest
from scipy.stats import t

from tests.conftest import ROOT

DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval; without one where a file has no deviation."""

    value: float
    low: float | None = None
    high: float | None = None

    def cell(self, form, scale=1):
        between = "" if self.low is None else f" ({scale * self.low:{form}} to {scale * self.high:{form}})"
        return f"{scale * self.value:{form}}{between}"


@dataclass(frozen=True)
class Measured:
    """What a file of a study has of one method."""

    score: tuple[float, float]
    seeds: int = 3
    gains: dict[str, Mean] = field(default_factory=dict)
    time: Mean | None = None
    paper: Mean | None = None
    energy: tuple[float, float] | None = None


def over_seeds(mean, deviation, seeds):
    """Return a mean over seeds with its interval by Student's t; of paired gains that is the paired interval."""
    half = t.ppf(0.975, seeds - 1) * deviation / seeds**0.5
    return Mean(mean, mean - half, mean + half)


def difference(mine, other, seeds):
    """Return the difference of two means with its interval by Welch's t, not paired; without one, if a deviation is missing."""
    if None in (*mine, *other):
        return Mean(mine[0] - other[0])
    parts = [deviation**2 / seeds for _, deviation in (mine, other)]
    freedom = sum(parts) ** 2 / sum(part**2 / (seeds - 1) for part in parts)
    half = t.ppf(0.975, freedom) * sum(parts) ** 0.5
    value = mine[0] - other[0]
    return Mean(value, value - half, value + half)


def tables(text):
    """Yield each table of a page as its rows, by column."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *body = ([cell.strip() for cell in f" {line} "[2:-2].split(" | ")] for line in block.splitlines())
        yield [dict(zip(head, row, strict=False)) for row in body]


def table_with(text, *columns):
    return next(table for table in tables(text) if table and set(columns) <= set(table[0]))


@cache
def rows_of(file):
    if file.endswith(".csv"):
        return list(csv.DictReader((DOCS / file).read_text(encoding="utf-8").splitlines()))
    return (DOCS / file).read_text(encoding="utf-8")


def of_csv(file, task, label):
    name, _, setting = label.partition(", ")
    name, _, fraction = name.partition(" ")
    fits = [
        r for r in rows_of(file) if r["method"] == name and r.get("task", task) == task and setting in r.get("settings", "")
    ]
    row = next(r for r in fits if not fraction or r["fraction"] == fraction)
    metric, seeds = "accuracy" if "accuracy" in row else "r2", int(row["seeds"])

    def mean(key):
        return over_seeds(float(row[key]), float(row[f"{key}_deviation"]), seeds) if row.get(key) else None

    energy = "energy_modelled_kwh"
    return Measured(
        (float(row[metric]), float(row[f"{metric}_deviation"])),
        seeds,
        {control: gain for control in ("uniform", "short") if (gain := mean(f"gain_over_{control}"))},
        mean("time_measured"),
        mean("time_paper"),
        (float(row[energy]), float(row[f"{energy}_deviation"])) if energy in row else None,
    )


def of_means(file, task, label):
    mean, deviation = ({**row}[label] for row in rows_of(file)[:2])
    return Measured((float(mean), float(deviation)))


def of_regimes(file, task, label):
    """Means are those of regimes.csv; deviations, gains and times those that the page prints."""
    table = table_with(rows_of(file), "task", "method", "T measured")
    row = next(r for r in table if r["task"] == task and r["method"].partition(",")[0] == label.partition(" ")[0])
    method = "swiftlearn" if label == "full" else label.split()[0]
    exact = next(r for r in rows_of("studies/regimes.csv") if (r["task"], r["method"]) == (task, method))
    mean = float(exact["full"] if label == "full" else exact["score"])
    assert mean == pytest.approx(float(row["accuracy"].split()[0]), abs=6e-4)
    gains = {
        c: Mean(*map(float, re.findall(r"[-+]\d\.\d+", row[f"gain over {c}"]))) for c in ("uniform", "short") if label != "full"
    }
    return Measured((mean, float(row["accuracy"].split()[2])), gains=gains, time=Mean(float(row["T measured"])))


def of_pools(file, task, label):
    """Of a row's two fractions the second is told as "the same"."""
    name, _, fraction = label.rpartition(" ")
    table = table_with(rows_of(file), "kept", "by-uniform")
    start = next(i for i, row in enumerate(table) if row["task"] == task)
    row = next(r for r in table[start : start + 2] if r["kept"] == fraction)
    mean, _, deviation = row[name].partition(" ± ")
    return Measured((float(mean), float(deviation) if deviation else None))


READERS = {"studies/regimes.md": of_regimes, "studies/bike-sharing.table.csv": of_means, "studies/adaselection.md": of_pools}


def first_trial(method, other):
    """Return the paired difference of two rows of the first trial, whose seeds stand one by one."""
    table = table_with(rows_of("methods/swiftlearn.md"), "method", "T = 0.28")
    mine, others = (
        [float(n) for n in next(r for r in table if r["method"].startswith(name))["T = 0.28"].split()]
        for name in (method, other)
    )
    gains = [a - b for a, b in zip(mine, others, strict=True)]
    return over_seeds(fmean(gains), stdev(gains), len(gains))


def of_benchmark(file, label):
    """Return an epoch's time over that of the plain loop: the median of the rounds, with their least and greatest."""
    found = json.loads((DOCS / file).read_text(encoding="utf-8"))
    if "over_plain" in found:
        rounds = found["over_plain"][label.split()[0]]["rounds"]
    else:
        rounds = [r[label]["measured_over_ideal"] * r[label]["ideal"] for r in found["runs"]]
    return Mean(median(rounds), min(rounds), max(rounds))
