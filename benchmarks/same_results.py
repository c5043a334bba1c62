"""Comparison of two commits' results, byte by byte: python -m benchmarks.same_results COMMIT [COMMIT], by default HEAD.

Both run this folder's params.yaml, each in a clone of its own: digits with ten methods, then the movie reviews with five.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.common import ROOT, environment, save

#: Files that count as results; histories, metrics and cost records contain timings.
RESULTS = ("results/prepare", "scores.parquet", "subset.parquet", "ledger.parquet", "state.safetensors", "/model")
COMPARED = {
    "digits": {
        **dict.fromkeys(("full", "uniform", "short", "infobatch", "importance", "multistage", "adaselection"), "none"),
        **dict.fromkeys(("selective-backprop", "big-loss"), "none"),
        "swiftlearn": "two-epochs",
    },
    "movie-reviews": {**dict.fromkeys(("full", "uniform", "short", "infobatch"), "none"), "swiftlearn": "two-epochs"},
}


def hashes(commit: str, task: str) -> dict[str, str]:
    """Return the MD5 of each result of ``task`` by the code of ``commit``, by path."""
    with TemporaryDirectory(prefix="winnow-") as name:
        folder = Path(name)
        _run(ROOT, "git", "clone", "--quiet", "--no-local", str(ROOT), name)
        _run(folder, "git", "checkout", "--quiet", commit)
        (folder / "params.yaml").write_text(yaml.safe_dump(_params(task), sort_keys=False), encoding="utf-8")
        _run(folder, "dvc", "repro")
        lock: dict[str, Any] = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    return {out["path"]: out["md5"] for out in outs if out["path"].endswith(RESULTS)}


def _params(task: str) -> dict[str, Any]:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"task": task, "compare": COMPARED[task]}
    params["methods"] |= {name: {"controls": "swiftlearn"} for name in ("uniform", "short")}
    return params


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    """Compare the results, and print those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", nargs="+")
    parser.add_argument("--tasks", nargs="+", choices=COMPARED, default=list(COMPARED))
    given = parser.parse_args()
    before, after = (*given.commits, "HEAD")[:2]
    result: dict[str, Any] = {}
    for task in given.tasks:
        one, other = hashes(before, task), hashes(after, task)
        differ = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
        result[task] = {"methods": len(COMPARED[task]), "files": len(one), "differ": differ}
    save("same_results", result)
    if any(found["differ"] for found in result.values()):
        sys.exit("the results are not the same")


if __name__ == "__main__":
    main()
