"""Pairs of texts for tests: a table, a file, a data set of the hub."""

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WORDS = "a fine film no good at all dull bore joy".split()  # noqa: SIM905


COLUMNS = {"text": "question", "text_pair": "sentence", "label": "label"}


def pairs(count=24, seed=0):
    """Pairs of texts of 1 to 12 words: some of both together are longer than 16 tokens."""
    rng = np.random.default_rng(seed)
    made = [[" ".join(rng.choice(WORDS, rng.integers(1, 13))) for _ in range(count)] for _ in range(2)]
    return {"question": made[0], "sentence": made[1], "label": [i % 2 for i in range(count)]}


def spoiled(**columns):
    return {k: columns.get(k, v) for k, v in pairs(6).items()}


def written(tmp_path, table, name="pairs.parquet"):
    pq.write_table(pa.table(table), tmp_path / name)
    return {"from": "files", "train": str(tmp_path / name)}


def hub(tmp_path, splits, names=("not", "same")):
    """Write a data set as the hub holds it, in a folder that load_dataset takes for its id; return its source."""
    label = datasets.ClassLabel(names=list(names))
    features = datasets.Features({"question": datasets.Value("string"), "sentence": datasets.Value("string"), "label": label})
    for name, table in splits.items():
        datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "qqp" / f"{name}-00000-of-00001.parquet")
    return {"from": "hub", "id": str(tmp_path / "qqp"), "revision": "main", "test_split": "validation"}
