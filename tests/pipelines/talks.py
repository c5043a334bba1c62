"""Conversations for tests, and tasks of instructions that are made of them."""

import json

from tests.pipelines.summaries import ANIMALS

GPT = {"family": "gpt", "layers": 1, "width": 16, "heads": 2, "dropout": 0.0}
COLUMNS = {"prompt": "question", "response": "answer"}
INSTRUCTIONS = {"kind": "instructions", "columns": COLUMNS, "model": GPT, "test": 6, "vocabulary": 300, "max_target_length": 8}
TALKS = INSTRUCTIONS | {"columns": {"messages": "messages"}}


def questions(count=30):
    """Return prompts and responses."""
    return [(f"who comes after the {ANIMALS[i % 8]}, {i} times?", f"the {ANIMALS[(i + 1) % 8]}") for i in range(count)]


def message(role, content):
    return {"role": role, "content": content}


def talks(count=30):
    """Return conversations of one to three responses, some with a system's message and some that end with the user's."""
    made = []
    for i in range(count):
        talk = [message("system", "be short")] if i % 2 else []
        for question, answer in questions(count)[i : i + 1 + i % 3]:
            talk += [message("user", question), message("assistant", answer)]
        made.append(talk + ([message("user", "and then?")] if i % 5 == 0 else []))
    return made


def written(tmp_path, rows=None, suffix="jsonl"):
    """Write prompts and responses, or conversations, into a file, and return the source that reads it."""
    path, rows = tmp_path / f"talks.{suffix}", questions() if rows is None else rows
    pairs = isinstance(rows[0], tuple)
    table = [dict(zip(COLUMNS.values(), row, strict=True)) if pairs else {"messages": row} for row in rows]
    if suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(table), path)
    elif suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, table)))
    else:
        lines = ["\t".join(table[0]), *("\t".join(v if pairs else json.dumps(v) for v in row.values()) for row in table)]
        path.write_text("\n".join(lines))
    return {"from": "files", "train": str(path)}
