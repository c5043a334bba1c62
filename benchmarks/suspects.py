"""Precision and recall of a diagnosis's wrong labels, beside cleanlab's."""

from __future__ import annotations

import argparse
import copy
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from benchmarks import one_rater
from benchmarks.common import ONE_THREAD, asked, inside, params_of, repro, save
from components.arrays import Array


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
    """Return precision and recall of one task's suspects, and of cleanlab's for the same model's last forward passes."""
    with inside(params) as folder:
        if name == "one rater":
            one_rater.write(folder / "data")
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
    """Return the labels before noise, or those by the mean of all raters."""
    if name == "one rater":
        with (folder / "data/one-rater.csv").open(newline="", encoding="utf-8") as file:
            truth = np.array([row["truth"] == one_rater.SIGNS[True] for row in csv.DictReader(file)])
        return np.asarray(truth[ids].astype(label.dtype))
    clean = copy.deepcopy(params)
    del clean["tasks"][clean["task"]]["label_noise"]
    with inside(clean) as other:
        repro(other, "prepare")
        found, places = _labels(other)
    assert (places == ids).all()
    return found


def _by_cleanlab(folder: Path, label: Array) -> Array:
    """Return cleanlab's wrong labels, by the probabilities of the warm-up's last forward passes."""
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
