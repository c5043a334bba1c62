"""Reviews for tests, as files of every format that is read."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

REVIEWS = [
    ("a fine film", "good"),
    ("no good at all", "bad"),
    ("fine, fine", "good"),
    ("dull", "bad"),
    ("a bore", "bad"),
    ("a joy", "good"),
]


def write(name, rows=REVIEWS, header=True):
    """Write the reviews as the file format that the suffix of ``name`` says."""
    path, columns = Path(name), {"text": [r[0] for r in rows], "label": [r[1] for r in rows]}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"text": t, "label": y}) for t, y in rows))
    else:
        mark, quote = ("\t", "") if path.suffix == ".tsv" else (",", '"')
        lines = [["text", "label"]] * header + [[f"{quote}{t}{quote}", y] for t, y in rows]
        path.write_text("\n".join(mark.join(line) for line in lines))
    return name
