"""Seconds, tokens per second and memory of preparing a million short texts, against ``datasets`` and two processes.

The texts are the movie reviews, and changed copies of them.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import yaml
from pydantic import JsonValue

from benchmarks.common import ROOT, save, summary
from benchmarks.prepare import environment, measured
from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import FromPackage
from pipelines.data.added_copies import reworded
from pipelines.sources import read
from pipelines.sources.package_index import member

TOKENS = 64
#: The same with ``datasets``: reads the file, and writes the tokens of every text.
DATASETS = """
import sys
from datasets import load_dataset
from transformers import AutoTokenizer
rows = load_dataset("csv", data_files=sys.argv[1], cache_dir=sys.argv[2], split="train")
tokenizer = AutoTokenizer.from_pretrained(sys.argv[3])
def encoded(rows):
    options = {"return_attention_mask": False, "return_token_type_ids": False}
    return tokenizer(rows["text"], truncation=True, max_length=int(sys.argv[4]), **options)
rows.map(encoded, batched=True, num_proc=2)
"""


def make(folder: Path, count: int) -> Path:
    """Write ``count`` texts and their task into ``folder``; return the folder of the tokenizer."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    task = params["tasks"]["movie-reviews"]
    texts = read(_planned(task)).texts["text"]
    rng = np.random.default_rng(0)
    with (folder / "texts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for i in range(count):
            text = texts[i % len(texts)]
            rows.writerow([text if i < len(texts) else reworded(text, rng), "ab"[i % 2]])
    own = {k: v for k, v in task.items() if k != "binarize"} | {"source": {"from": "files", "train": "texts.csv"}}
    own |= {"columns": {"text": "text", "label": "label"}, "test": 0.1, "max_length": TOKENS}
    params = {k: v for k, v in params.items() if k not in ("study", "advise")} | {"task": "own", "tasks": {"own": own}}
    params |= {"compare": {"full": "none"}, "diagnose": {"warm_up": "none"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    plan = [sys.executable, "-m", "pipelines.plan"]
    subprocess.run(plan, cwd=folder, env=environment(), check=True, capture_output=True)
    return member(FromPackage.model_validate(task["model"]["source"]))


def _planned(task: dict[str, JsonValue]) -> TaskPlan:
    """Return what a source's reader needs to know of ``task``."""
    keys = {key: value for key, value in task.items() if key not in ("model", "training")}
    return TaskPlan.of({"name": "movie-reviews", "seed": 0, **keys})


def tokens_in(folder: Path) -> int:
    """Return the number of tokens in the prepared splits of ``folder``."""
    splits = (pa.ipc.open_stream(pa.memory_map(str(path))).read_all() for path in (folder / "results/prepare").glob("*.arrow"))
    return sum(sum(len(chunk.flatten()) for chunk in split["tokens"].chunks) for split in splits)


def main() -> None:
    """Measure both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=1_000_000)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {"winnow": [], "datasets": []}
    peaks: dict[str, list[float]] = {"winnow": [], "datasets": []}
    with TemporaryDirectory() as place:
        folder = Path(place)
        tokenizer = str(make(folder, given.texts))
        for turn in range(given.rounds):
            theirs = [sys.executable, "-c", DATASETS, "texts.csv", f"cache-{turn}", tokenizer, str(TOKENS)]
            for arm, command in {"winnow": [sys.executable, "-m", "pipelines.prepare"], "datasets": theirs}.items():
                took, peak = measured(command, folder)
                seconds[arm].append(took)
                peaks[arm].append(peak / 2**20)
        tokens = tokens_in(folder)
    ways = {
        arm: {
            "seconds": summary(seconds[arm]),
            "tokens_a_second": summary([tokens / s for s in seconds[arm]]),
            "peak_mib": summary(peaks[arm]),
        }
        for arm in seconds
    }
    print(json.dumps(ways))
    save("prepare.texts", {"examples": given.texts, "tokens": tokens, "ways": ways})


if __name__ == "__main__":
    main()
