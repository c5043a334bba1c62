"""Sounds are found in class folders, by a column of paths, and in data sets of the hub."""

import io

import numpy as np
import pytest
import soundfile

from pipelines.core.errors import UserError
from pipelines.data.split_files import read_split
from tests.pipelines.speech import TRANSCRIBED, speech, texts
from tests.pipelines.tones import AUDIO, table, tone, tones


def test_a_folder_a_class(prepared, tmp_path, capsys):
    source = tones(tmp_path / "tones", 10)
    (tmp_path / "tones/low/notes.txt").write_text("")
    (tmp_path / "tones/none").mkdir()
    manifest, train, _ = prepared(source, {}, kind="audio", audio=AUDIO, test=4)
    assert manifest.classes == ["high", "low"]
    assert manifest.shape == [1, 16, 21]
    assert manifest.audio.model_dump() == {"features": "log-mel", "sampling_rate": 8000, "seconds": 0.2}
    assert len(train.ids) == 6
    values = train.examples.values
    np.testing.assert_allclose([manifest.mean, manifest.deviation], [values.mean(), values.std()], rtol=1e-4)
    assert {p.rsplit("/", 2)[1] for p in train.table["file"].to_pylist()} == {"high", "low"}
    said = capsys.readouterr().err
    assert "1 files not taken, the first of them" in said
    assert "1 class folders without a sound" in said


def test_a_table_gives_what_a_folder_gives_and_keeps_groups_together(prepared, tmp_path):
    source, columns = table(tmp_path / "tones", tmp_path / "rows.csv", 24)
    _, train, test = prepared(source, columns, kind="audio", audio=AUDIO, test=0.25)
    groups = [{int(f.rsplit("/", 1)[1][:3]) // 2 for f in split.table["file"].to_pylist()} for split in (train, test)]
    assert not groups[0] & groups[1]
    assert (len(train.ids), len(test.ids)) == (18, 6)
    by_file = dict(zip(train.table["file"].to_pylist(), train.examples.values, strict=True))
    folder = prepared({"from": "folder", "folder": str(tmp_path / "tones")}, {}, kind="audio", audio=AUDIO, test=0.25)[1]
    both = [f for f in folder.table["file"].to_pylist() if f in by_file]
    assert len(both) > 9
    for file, values in zip(folder.table["file"].to_pylist(), folder.examples.values, strict=True):
        if file in by_file:
            np.testing.assert_array_equal(values, by_file[file])


def test_files_of_other_rates_are_said_in_one_line_and_a_bad_one_is_named(prepared, tmp_path, capsys):
    source, columns = table(tmp_path / "tones", tmp_path / "rows.csv", rate=16000, seconds=0.3)
    prepared(source, columns, kind="audio", audio=AUDIO, test=4)
    said = capsys.readouterr().err
    assert "12 sounds of another sampling rate, resampled to 8,000 Hz" in said
    assert "12 sounds longer than max_seconds, 0.2 s, cut there" in said
    soundfile.write(tmp_path / "tones/low/004.wav", np.zeros(0), 8000)
    with pytest.raises(UserError, match=r"sound id 4 \(.*low/004\.wav\): is empty"):
        prepared(source, columns, kind="audio", audio=AUDIO, test=4)


def test_a_row_without_a_path_is_refused(prepared, tmp_path):
    source, columns = table(tmp_path / "tones", tmp_path / "rows.csv", 4)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("\n,low,9")
    with pytest.raises(UserError, match=r"own: file of id 4 must be the path of a sound, got none"):
        prepared(source, columns, kind="audio", audio=AUDIO, test=2)


def test_copies_are_those_of_their_sound(prepared, tmp_path):
    manifest, train, _ = prepared(
        tones(tmp_path / "tones"), {}, kind="audio", audio=AUDIO, test=4, duplicates={"fraction": 0.5}
    )
    of, ids = train.table["copy_of"].to_pylist(), train.ids.tolist()
    for row, original in enumerate(of):
        if original is not None:
            first = ids.index(original)
            np.testing.assert_array_equal(train.examples.values[row], train.examples.values[first])
            assert train.table["file"][row] == train.table["file"][first]
    assert manifest.duplicates_found.train_exact == 4


def test_sounds_of_the_hub(cached, tmp_path):
    from datasets import Audio, ClassLabel, Dataset

    from pipelines.sources.hub_datasets import of_datasets
    from tests.pipelines.records import task_plan

    def encoded(i):
        buffer = io.BytesIO()
        soundfile.write(buffer, tone(300.0 + 100 * i, 0.1), 8000, format="WAV")
        return {"bytes": buffer.getvalue(), "path": None}

    columns = {"heard": [encoded(i) for i in range(4)], "kind": [0, 1, 0, 1], "who": [0, 0, 1, 1]}
    part = (
        Dataset.from_dict(columns).cast_column("kind", ClassLabel(names=["a", "b"])).cast_column("heard", Audio(decode=False))
    )
    task = task_plan(kind="audio", columns={"audio": "heard", "label": "kind", "group": "who"}, audio=AUDIO)
    raw = of_datasets(task, [part, None], "own")
    assert raw.names == ["a", "b"]
    assert raw.group.tolist() == ["0", "0", "1", "1"]
    assert len(raw.pixels) == 4
    path = tmp_path / "found"
    path.write_bytes(bytes(4 * 2 * int(np.prod(raw.pixels.shape))))
    raw.pixels.write(np.array([3, 1]), path, 0)
    found = np.fromfile(path, np.float32).reshape(2, *raw.pixels.shape)
    np.testing.assert_allclose(found[1], raw.pixels.features(tone(400.0, 0.1)), atol=0.1)
    with pytest.raises(UserError, match=r"own: columns.audio: 'kind' must be a column of sounds"):
        of_datasets(task_plan(kind="audio", columns={"audio": "kind", "label": "who"}, audio=AUDIO), [part, None], "own")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_folder_with_a_table_of_transcripts_whose_paths_begin_at_it(prepared, tmp_path, suffix):
    for name, rows in (("train", texts(12)), ("test", ["ab", "ca c"])):
        speech(tmp_path / "calls" / name, rows, suffix, absolute=False)
    _, train, test = prepared({"from": "folder", "folder": str(tmp_path / "calls")}, **TRANSCRIBED)
    assert train.table["reference"].to_pylist() == texts(12)
    assert test.table["reference"].to_pylist() == ["ab", "ca c"]
    assert test.table["file"].to_pylist() == [str(tmp_path / f"calls/test/00{i}.wav") for i in (0, 1)]
    whole = prepared({"from": "folder", "folder": str(tmp_path / "calls/train")}, **TRANSCRIBED, test=3)
    assert [len(split.ids) for split in whole[1:]] == [9, 3]
    (tmp_path / "calls/train/metadata.tsv").write_text("")
    with pytest.raises(UserError, match=rf"train: must have one table of sounds, .*, got metadata.{suffix}, metadata.tsv"):
        prepared({"from": "folder", "folder": str(tmp_path / "calls")}, **TRANSCRIBED)


def test_transcripts_of_the_hub(cached):
    from datasets import Audio, Dataset

    from pipelines.sources.hub_datasets import of_datasets
    from tests.pipelines.records import task_plan

    buffer = io.BytesIO()
    soundfile.write(buffer, tone(300.0, 0.3), 8000, format="WAV")
    columns = {"heard": [{"bytes": buffer.getvalue(), "path": None}] * 3, "said": ["a", "b", "a b"]}
    part = Dataset.from_dict(columns).cast_column("heard", Audio(decode=False))
    named = {"audio": "heard", "transcript": "said"}
    raw = of_datasets(task_plan(kind="audio", predicts="transcript", columns=named, audio=AUDIO), [part, part], "own")
    assert raw.inputs["transcript"] == ["a", "b", "a b"] * 2
    assert (len(raw.pixels), raw.tested.tolist(), raw.names) == (6, [False] * 3 + [True] * 3, None)
    assert raw.pixels.features(tone(300.0, 0.1)).shape == (10, 16)


def test_a_folder_of_its_own_judges_while_a_model_trains(prepared, tmp_path):
    for name, count in (("train", 6), ("test", 4), ("val", 2)):
        tones(tmp_path / "tones" / name, count)
    source = {"from": "folder", "folder": str(tmp_path / "tones"), "validation": "val"}
    manifest, train, test = prepared(source, {}, kind="audio", audio=AUDIO, training={"evaluate_every": 1})
    aside = read_split("validation", manifest)
    for split, name in ((train, "train"), (test, "test"), (aside, "val")):
        assert {file.rsplit("/", 3)[1] for file in split.table["file"].to_pylist()} == {name}
    assert manifest.counts.dumped() == {"train": 6, "test": 4, "validation": 2}
