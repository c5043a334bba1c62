"""The page of claims: the studies that it names exist, and its figures are those that follow from their files."""

import re

import pytest
from scipy.stats import ttest_ind_from_stats

from tests.conftest import ROOT
from tests.study_figures import (
    DOCS,
    READERS,
    Mean,
    difference,
    first_trial,
    of_benchmark,
    of_csv,
    over_seeds,
    rows_of,
    table_with,
    tables,
)

PAGE = (DOCS / "claims.md").read_text(encoding="utf-8")
NONE = "\u2013"
#: Figures of the column "beside" that are no differences of scores.
PAPER, ENERGY = "T of the paper", "Wh, %"
COLUMNS = ("time", "against full", "against uniform", "against short", "beside")
#: Claim -> the column that decides it, and the bound with which it holds, in the column's unit; "<" where less holds.
BOUNDS = {
    "S1": ("against full", ">", -0.92), "S2": ("time", "<", 1 / 3.36), "S3": ("time", "<", 1 / 3.52),
    "A1": ("time", "<", 0.8), "A2": ("beside", ">", 0.0), "A3": ("against full", ">", 0.0), "A4": ("against uniform", ">", 0.0),
    "A5": ("beside", ">", 0.0),
    "M1": ("against full", ">", -1.44), "M2": ("beside", "<", 0.38), "M3": ("against uniform", ">", 0.0),
    "M4": ("beside", ">", 0.0), "M5": ("against full", ">", -2.78), "M6": ("against full", ">", -2.52),
    "M7": ("against full", "<", -19.38), "M8": ("against full", ">", -1.53), "M9": ("against full", "<", -3.67),
    "M10": ("beside", "<", -45.85), "M14": ("against full", ">", -1.61),
}  # fmt: skip
GROUNDS = {row["ground"]: row for row in table_with(PAGE, "ground", "data", "command")}
OUTCOMES = [row for table in tables(PAGE) if table and "reading" in table[0] for row in table]
TRIED = [row for row in OUTCOMES if row["method"] != NONE]


def source(ground):
    """Return the file of a ground's figures, from docs/, and its task there."""
    return re.search(r"\]\((.*?)\)(?:, `(.*?)`)?", GROUNDS[ground]["figures"]).groups()


def measured(ground, label):
    file, task = source(ground)
    return READERS.get(file, of_csv)(file, task, label)


def figures(row):
    """Return the means of a row of outcomes by column, as its sources have them."""
    ground, label = row["tried on"], row["method"]
    if ground == "first trial":
        return {f"against {c}": first_trial(label, c) for c in ("full", "uniform", "short")}
    if source(ground)[0].endswith(".json"):
        return {"time": of_benchmark(source(ground)[0], label)}
    mine, full = measured(ground, label), measured(ground, f"full {label.split()[-1]}" if "pools" in ground else "full")
    found = {f"against {control}": gain for control, gain in mine.gains.items()}
    found |= {"time": mine.time, "against full": difference(mine.score, full.score, mine.seeds)}
    name, _, _ = row.get("beside", NONE).partition(": ")
    if name == PAPER:
        found["beside"] = mine.paper
    elif name == ENERGY:
        saved = difference(mine.energy, full.energy, mine.seeds)
        found["beside"] = Mean(*(100 * end / full.energy[0] for end in (saved.value, saved.low, saved.high)))
    elif name != NONE:
        found["beside"] = difference(mine.score, measured(ground, name).score, mine.seeds)
    return found


def expected(row, column):
    """Return the text of a cell that is not empty."""
    name, _, _ = row[column].partition(": ")
    digits = 2 if row["tried on"].startswith("bicycles") else 1
    form = ".2f" if column == "time" or name == PAPER else "+.0f" if name == ENERGY else f"+.{digits}f"
    text = figures(row)[column].cell(form, scale(row, column))
    return f"{name}: {text}" if column == "beside" else text


def scale(row, column):
    """Return what a figure is multiplied by: 100 makes points of a score."""
    return 1 if column == "time" or row[column].startswith((PAPER, ENERGY)) else 100


def verdict(row):
    """Return what the interval says of the claim; None where no interval decides."""
    column, sense, bound = BOUNDS.get(row["claim"].split(":")[0], ("", "", 0))
    mean = figures(row).get(column)
    if mean is None or mean.low is None:
        return None
    ends = [(1 if sense == ">" else -1) * (scale(row, column) * end - bound) for end in (mean.low, mean.high)]
    return "holds" if min(ends) > 0 else "does not hold here" if max(ends) < 0 else "level"


@pytest.mark.parametrize("row", TRIED, ids=lambda row: f"{row['claim'][:3]}-{row['tried on']}-{row['method']}")
def test_a_row_has_the_figures_of_its_study_and_the_reading_that_follows(row):
    filled = [column for column in COLUMNS if row.get(column, NONE) != NONE]
    assert filled
    for column in filled:
        assert row[column] == expected(row, column)
    assert row["reading"].startswith(verdict(row) or ("holds", "level", "does not hold here"))


def test_each_claim_has_a_bound_or_a_reading_in_words():
    claims = [row["claim"].partition(":")[0] for row in OUTCOMES]
    assert set(BOUNDS) <= set(claims)
    assert list(dict.fromkeys(claims)) == [
        f"{paper}{n}" for paper, last in (("S", 6), ("A", 8), ("M", 15)) for n in range(1, last + 1)
    ]
    for row in OUTCOMES:
        assert row["tried on"] in {NONE, *GROUNDS}
        assert row["reading"].startswith(("holds", "level", "does not hold here", "not tried"))
        assert row in TRIED or not any(row.get(column, NONE) != NONE for column in COLUMNS)


@pytest.mark.parametrize("paper", table_with(PAGE, "paper", "claims"), ids=lambda row: row["paper"])
def test_the_counts_are_those_of_the_rows(paper):
    rows = [row for row in OUTCOMES if row["claim"][0] == paper["paper"][0]]
    tried = [row for row in rows if not row["reading"].startswith("not tried")]
    of_claim = [{row["claim"].partition(":")[0] for row in some} for some in (rows, tried)]
    counts = [len(of_claim[0]), len(tried)]
    counts += [sum(row["reading"].startswith(word) for row in rows) for word in ("holds", "level", "does not hold here")]
    assert [*paper.values()][1:] == [str(n) for n in (*counts, len(of_claim[0] - of_claim[1]))]


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_a_ground_names_a_study_that_exists_and_says_its_epochs_and_seeds(ground):
    file, task = source(ground["ground"])
    assert (DOCS / file).exists()
    for study in re.findall(r"STUDY=(\S+?)`", ground["command"]):
        assert (ROOT / study).exists()
    for module in re.findall(r"-m benchmarks\.(\w+)", ground["command"]):
        assert (ROOT / "benchmarks" / f"{module}.py").exists()
    if file.endswith(".csv") and READERS.get(file) is None:
        full = next(row for row in rows_of(file) if row["method"] == "full" and row.get("task", task) == task)
        assert (float(ground["epochs"]), ground["seeds"]) == (float(full["planned_cost_epochs"]), full["seeds"])


@pytest.mark.parametrize("file", ["adaselection", "movie-reviews", "newsgroups"])
def test_an_interval_of_gains_is_the_one_that_the_study_wrote(file):
    """The study took it from the gains of each seed; here it comes from their mean and deviation."""
    for row in rows_of(f"studies/{file}.csv"):
        for gain in ("gain_over_uniform", "gain_over_short"):
            if row[f"{gain}_low"]:
                found = over_seeds(float(row[gain]), float(row[f"{gain}_deviation"]), int(row["seeds"]))
                written = [float(row[f"{gain}_{end}"]) for end in ("low", "high")]
                assert [found.low, found.high] == pytest.approx(written, abs=1e-9)


def test_an_interval_of_a_difference_ends_where_a_test_has_five_percent():
    mine, other = (0.73, 0.099, 3), (0.80, 0.0023, 3)
    found = difference(mine[:2], other[:2], 3)
    for end in (found.low, found.high):
        assert ttest_ind_from_stats(mine[0] - end, *mine[1:], *other, equal_var=False).pvalue == pytest.approx(0.05)
