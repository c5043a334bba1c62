"""Documents for tests, and a task of running text that is made of them."""

LINE = "it was the best of times , it was the worst of times"
GPT = {"family": "gpt", "layers": 1, "width": 16, "heads": 2}
LANGUAGE = {"kind": "language", "model": GPT, "test": 2, "block": 8, "vocabulary": 300}


def folder_of(tmp_path, count=8, name="books"):
    folder = tmp_path / name
    folder.mkdir()
    for i in range(count):
        (folder / f"{i}.txt").write_text(f"{LINE} , {'by and by ' * i}{str(i) * 3}\n" * 3)
    return {"from": "folder", "folder": str(folder), "files": "*.txt"}
