"""Of the labels that a diagnosis names, how many are wrong, and of the wrong ones, how many it names; beside cleanlab."""

from __future__ import annotations

import argparse
import ast
import copy
import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from benchmarks.common import ONE_THREAD, asked, inside, params_of, repro, save
from components.arrays import Array

ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_anonDataRatings.txt"
TEXTS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
#: What a label of a rating is called.
SIGNS = {True: "positive", False: "negative"}


def one_rater(archive: Path) -> Iterator[tuple[str, str, str]]:
    """Yield text, the sign of its first rating that is none of 0, and that of the mean of all; none where the mean is 0."""
    with tarfile.open(archive) as outer:
        name = next(n for n in outer.getnames() if n == ARCHIVE)
        inner = outer.extractfile(name)
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as files:
            ratings, texts = (_lines(files, n) for n in (RATINGS, TEXTS))
    for rated, told in zip(ratings, texts, strict=True):
        _, mean, _, each = rated.split("\t")
        first = next((r for r in ast.literal_eval(each) if r), 0)
        if first and float(mean):
            yield told.split("\t")[2], SIGNS[first > 0], SIGNS[float(mean) > 0]


def _lines(files: tarfile.TarFile, name: str) -> list[str]:
    file = files.extractfile(name)
    assert file is not None
    return file.read().decode().splitlines()


def write_one_rater(archive: Path, folder: Path, test: int = 2000) -> None:
    """Write one-rater.csv, whose labels are one rater's, and all-raters.csv for testing, whose labels are those of the mean."""
    rows = list(one_rater(archive))
    order = np.random.default_rng(0).permutation(len(rows))
    for name, places, column in (("one-rater", order[test:], 1), ("all-raters", order[:test], 2)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["text", "label", "truth"])
            out.writerows([rows[i][0], rows[i][column], rows[i][2]] for i in places)


def tasks(folder: str) -> dict[str, dict[str, Any]]:
    """Return the params of each task, Fashion-MNIST from ``folder``."""
    found = {}
    noise = {"20 %": {"fraction": 0.2}, "40 %": {"fraction": 0.4}, "20 % to the next": {"fraction": 0.2, "by_class": True}}
    for task in ("fashion-mnist", "movie-reviews", "newsgroups"):
        for name, asked_for in noise.items() if task == "fashion-mnist" else [("20 %", noise["20 %"])]:
            params = copy.deepcopy(params_of(task, folder))
            params["tasks"][task]["label_noise"] = asked_for
            if task != "fashion-mnist":
                params["tasks"][task]["training"]["keep_frozen"] = True
            found[f"{task}, {name}"] = params
    rated = copy.deepcopy(params_of("movie-reviews", folder))
    own = rated["tasks"]["movie-reviews"]
    own |= {"source": {"from": "files", "train": "data/one-rater.csv", "test": "data/all-raters.csv"}}
    own |= {"columns": {"text": "text", "label": "label"}, "binarize": None, "test": None}
    own["training"]["keep_frozen"] = True
    return found | {"one rater": rated}


def measure(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return precision and recall of the suspects of one task, and of cleanlab's on the same model's last sights."""
    with inside(params) as folder:
        if name == "one rater":
            from pipelines.packages import cache

            archive = cache() / yaml.safe_load((folder / "params.yaml").read_text())["tasks"]["domains"]["source"]["sha256"]
            write_one_rater(archive / "archive", folder / "data")
        repro(folder, "diagnose")
        label, ids = _labels(folder)
        truth = _truth(name, folder, params, ids, label)
        with (folder / "results/diagnose/suspects.csv").open(newline="", encoding="utf-8") as file:
            named = np.isin(ids, [int(row["id"]) for row in csv.DictReader(file)])
        told = yaml.safe_load((folder / "results/diagnose/diagnosis.json").read_text())
        theirs = _by_cleanlab(folder, label)
    wrong = label != truth
    return {
        "examples": len(label),
        "wrong": round(float(wrong.mean()), 4),
        "estimated": round(told["wrong_labels"]["rate"], 4),
        "winnow": _judged(named, wrong),
        "cleanlab": _judged(theirs, wrong),
    }


def _judged(named: Array, wrong: Array) -> dict[str, Any]:
    hits = int((named & wrong).sum())
    precision, recall = hits / max(1, named.sum()), hits / max(1, wrong.sum())
    return {"named": int(named.sum()), "precision": round(float(precision), 4), "recall": round(float(recall), 4)}


def _labels(folder: Path) -> tuple[Array, Array]:
    table = pa.ipc.open_stream(pa.memory_map(str(folder / "results/prepare/train.arrow"))).read_all()
    return table["label"].to_numpy().copy(), table["id"].to_numpy().copy()


def _truth(name: str, folder: Path, params: dict[str, Any], ids: Array, label: Array) -> Array:
    """Return the labels as they were before noise, or those of the mean of all raters."""
    if name == "one rater":
        with (folder / "data/one-rater.csv").open(newline="", encoding="utf-8") as file:
            truth = np.array([row["truth"] == SIGNS[True] for row in csv.DictReader(file)])
        return np.asarray(truth[ids].astype(label.dtype))
    clean = copy.deepcopy(params)
    del clean["tasks"][clean["task"]]["label_noise"]
    with inside(clean) as other:
        repro(other, "prepare")
        found, places = _labels(other)
    assert (places == ids).all()
    return found


def _by_cleanlab(folder: Path, label: Array) -> Array:
    """Return which labels cleanlab takes for wrong, by the probabilities of the warm-up's last sights."""
    from cleanlab.filter import find_label_issues
    from safetensors.numpy import load_file

    logits = load_file(str(folder / "results/warm_up/two-epochs/state.safetensors"))["ledger.logits"].astype(np.float64)
    p = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(find_label_issues(label, p / p.sum(1, keepdims=True), n_jobs=1))


def main() -> None:
    """Measure all tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = list(tasks("."))
    given = asked(parser, known)
    found = {name: measure(name, params) for name, params in tasks(given.fashion_mnist).items() if name in given.tasks}
    save("suspects", {"medians": found})


if __name__ == "__main__":
    import os

    os.environ.update(ONE_THREAD)
    main()
