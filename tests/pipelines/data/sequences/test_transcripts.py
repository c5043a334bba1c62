"""Transcripts are normalised, spelt and refused by id; sounds have frames for them."""

import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.tasks.batch import Rows
from components.tasks.sequences import IGNORED
from components.tasks.sound import Transcribed
from pipelines.config.schema.audio import Transcript
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.data.sequences.transcripts import frames_needed, normalised
from pipelines.sources import pretrained
from tests.pipelines.speech import TRANSCRIBED, WAVE, hub_like, speech, texts

PLAIN = Transcript(case="lower", punctuation="drop")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("  Press 1,\tplease... ", "press 1 please"),
        ("I\u2019m sorry; o'clock!", "i'm sorry o'clock"),
        ("'quoted' re-record $5", "quoted re record 5"),
        ("E\u0301te\u0301", "\u00e9t\u00e9"),
        ("...", ""),
    ],
)
def test_what_is_said_is_normalised(text, found):
    assert normalised(text, PLAIN) == found


@given(st.text(max_size=20), st.sampled_from(["keep", "lower", "upper"]), st.sampled_from(["keep", "drop"]))
def test_what_is_normalised_has_single_spaces_and_stays(text, case, punctuation):
    settings = Transcript(case=case, punctuation=punctuation)
    found = normalised(text, settings)
    assert found == " ".join(found.split())
    if case == "keep":
        assert normalised(found, settings) == found
    if punctuation == "drop":
        assert not [c for c in found if unicodedata.category(c)[0] in "PS" and c != "'"]


def test_a_blank_is_needed_between_two_that_are_the_same():
    assert [frames_needed(t) for t in ([], [3], [3, 3], [3, 4, 3], [3, 3, 3, 4])] == [0, 1, 3, 3, 6]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_transcripts_of_every_table_are_what_their_tokens_say(prepared, tmp_path, suffix):
    manifest, train, test = prepared(speech(tmp_path / "songs", suffix=suffix), **TRANSCRIBED, test=6)
    assert (manifest.kind, manifest.target, manifest.metric, manifest.higher) == ("audio", "transcript", "wer", False)
    assert (manifest.outputs, manifest.pad, manifest.vocabulary, manifest.shape) == (1, 0, 5, [150, 16])
    tokenizer, rows = pretrained.tokenizer_in(artifacts.TOKENIZER), texts(24)
    assert tokenizer.get_vocab() == {"<pad>": 0, "|": 1, "a": 2, "b": 3, "c": 4}
    for split in (train, test):
        assert isinstance(split.examples, Transcribed)
        batch = split.examples.fetch(Rows.unweighted(torch.arange(len(split.ids))), torch.device("cpu"))
        for i, wanted, length in zip(split.ids, batch.target, batch.inputs["length"].tolist(), strict=True):
            assert tokenizer.decode(wanted[wanted != IGNORED], group_tokens=False) == rows[i]
            assert length == len(rows[i]) * 20
        assert split.table["reference"].to_pylist() == [rows[i] for i in split.ids]
        assert (batch.inputs["input"][batch.inputs["length"].argmin(), int(batch.inputs["length"].min()) :] == 0).all()
        assert "label" not in split.table.column_names


def test_a_models_own_tokenizer_spells_what_it_knows(prepared, tmp_path):
    model = {"family": "transformers", "source": hub_like(tmp_path / "model", letters="ABCXYZ")}
    task = TRANSCRIBED | {"model": model, "audio": {"max_seconds": 1.5}, "transcript": {"case": "upper"}}
    manifest, train, _ = prepared(speech(tmp_path / "songs"), **task, test=6)
    assert (manifest.vocabulary, manifest.pad) == (8, 0)
    assert not artifacts.TOKENIZER.exists()
    tokens = {int(t) for t in train.examples.tokens}
    assert tokens == {1, 2, 3, 4}
    assert train.table["reference"].to_pylist() == [texts(24)[i].upper() for i in train.ids]
    with pytest.raises(UserError, match=r"said of id 0: has 'b', which the model's tokenizer does not know; leave the row out"):
        prepared(speech(tmp_path / "songs", ["b"] * 9), **task | {"transcript": {}}, test=6)


def test_a_pretrained_model_without_a_tokenizer_gets_one_of_characters(prepared, tmp_path):
    model = {"family": "transformers", "source": hub_like(tmp_path / "model", letters="XYZUVW", tokenizer=False)}
    task = TRANSCRIBED | {"model": model, "audio": {"max_seconds": 1.5}}
    with pytest.raises(UserError, match=r"has no tokenizer.*tasks.own.transcript.vocabulary: 'characters' makes one"):
        prepared(speech(tmp_path / "songs"), **task, test=6)
    manifest, _, _ = prepared(speech(tmp_path / "songs"), **task, test=6, transcript={"vocabulary": "characters"})
    assert manifest.vocabulary == 5


ABC = ["abc", "cab", "bca", "acb", "cba", "bac"]
REFUSED = {
    "an empty one": (["a", "  ", "b", "c"], {}, r"own: said of id 1 must be a transcript, got '  '; 'drop_empty: true' leaves"),
    "one of which nothing is left": (
        ["a", "b", "?!", "c"],
        {"transcript": {"punctuation": "drop"}},
        r"own: said of id 2: nothing is left of '\?!' with 'punctuation: drop'",
    ),
    "more than the frames": (
        [*ABC, "aaaaaaaa"],
        {"each": 0.04},
        r"sound id 6 \(.*006.wav\): its transcript needs 15 frames, .* and the model has 8 for it, as for 1 in all",
    ),
    "a sound that would be cut": (
        [*ABC, "abcabcabca"],
        {},
        r"id 6 \(.*\): is 2 s long and would be cut, .* raise .*tasks.own.audio.max_seconds, 1.5; the nearest that works is 2$",
    ),
    "a sound without features": (ABC, {"each": 0.002}, r"sound id \d \(.*\): is too short for features"),
}


@pytest.mark.parametrize("case", REFUSED, ids=REFUSED)
def test_what_cannot_be_learnt_is_refused_by_id(prepared, tmp_path, case):
    rows, more, said = REFUSED[case]
    source = speech(tmp_path / "songs", rows, each=more.get("each", 0.2))
    with pytest.raises(UserError, match=said):
        prepared(source, **TRANSCRIBED, test=1, transcript=more.get("transcript", {}))


def test_a_character_of_the_test_split_alone_is_refused_by_id(prepared, tmp_path):
    source = speech(tmp_path / "songs", ["a", "b", "ab", "ba"])
    tested = speech(tmp_path / "tested", ["a", "cab"])
    with pytest.raises(UserError, match=r"own: said of id 5: has 'c', which no transcript of the training split has"):
        prepared(source | {"test": tested["train"]}, **TRANSCRIBED)


def test_a_bar_is_refused_since_it_stands_for_the_space(prepared, tmp_path):
    with pytest.raises(UserError, match=r"said of id 1: has '\|', which .*; it stands for the space"):
        prepared(speech(tmp_path / "songs", ["a", "a|b", "b", "a"]), **TRANSCRIBED, test=1)


def test_rows_without_a_transcript_may_be_left_out(prepared, tmp_path):
    rows = ["a", "", "b", "ab", "", "ba"]
    manifest, _, _ = prepared(speech(tmp_path / "songs", rows, suffix="jsonl"), **TRANSCRIBED, test=1, drop_empty=True)
    assert (manifest.counts.total, manifest.dropped_empty) == (4, 2)


def test_waveforms_are_scaled_each_by_itself_and_padded_with_zeros(prepared, tmp_path):
    manifest, train, _ = prepared(speech(tmp_path / "songs"), **TRANSCRIBED | WAVE, test=6)
    assert manifest.shape == [12000]
    for values, length in zip(train.examples.values, train.examples.lengths, strict=True):
        assert abs(values[:length].mean()) < 1e-3
        assert values[:length].std() == pytest.approx(1, abs=1e-3)
        assert (values[length:] == 0).all()
    frames = (((train.examples.lengths - 10) // 5 + 1) - 8) // 4 + 1
    assert train.examples.frames.tolist() == frames.tolist()
