"""Pairs of texts for tests, and a task of sequences that is made of them."""

import json

ANIMALS = "cat dog owl bee ant fox hen rat".split()  # noqa: SIM905
T5 = {"family": "t5", "layers": 1, "width": 16, "heads": 2}
COLUMNS = {"source": "long", "target": "short"}
SEQ2SEQ = {"kind": "seq2seq", "columns": COLUMNS, "model": T5, "test": 6, "vocabulary": 300}


def pairs(count=30):
    """Return sources and what is to be made of them."""
    names = [(ANIMALS[i % 8], ANIMALS[(3 * i + i // 8) % 8]) for i in range(count)]
    return [(f"a tale, number {i}, of a {a} and of a {b}", f"the {a}, the {b}") for i, (a, b) in enumerate(names)]


def written(tmp_path, rows=None, suffix="jsonl"):
    """Write ``rows`` into a file, and return the source that reads it."""
    path = tmp_path / f"tales.{suffix}"
    rows = [dict(zip(("long", "short"), row, strict=True)) for row in (pairs() if rows is None else rows)]
    if suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        mark = '"{}","{}"' if suffix == "csv" else "{}\t{}"
        path.write_text("\n".join(mark.format(*row) for row in (("long", "short"), *(r.values() for r in rows))))
    return {"from": "files", "train": str(path)}
