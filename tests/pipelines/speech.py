"""Sounds with transcripts for tests: a tone for each letter; and untrained models that hear them."""

import json

import numpy as np
import soundfile
import torch

from tests.pipelines.sound_encoders import SIZES, WAVES
from tests.pipelines.tones import RATE, tone

PITCH = {"a": 300.0, "b": 700.0, "c": 1100.0, " ": 1600.0}
COLUMNS = {"audio": "file", "transcript": "said"}
AUDIO = {"sampling_rate": RATE, "max_seconds": 1.5, "mels": 16}
PARAKEET = SIZES | {"subsampling_factor": 4, "subsampling_conv_channels": 8}
FAST = {"family": "untrained", "type": "parakeet_ctc", "options": PARAKEET}
TRANSCRIBED = {"kind": "audio", "predicts": "transcript", "columns": COLUMNS, "audio": AUDIO, "model": FAST}
#: Waveforms by an untrained model, and that one's options.
LISTENER = {key: value for key, value in WAVES.items() if key != "classifier_proj_size"}
WAVE = {"model": {"family": "untrained", "type": "wav2vec2-conformer", "options": LISTENER}}
WAVE |= {"audio": {"sampling_rate": RATE, "max_seconds": 1.5, "features": "waveform"}}


def texts(count):
    """Return ``count`` transcripts of one to four letters out of a, b and c, some of two words."""
    rng = np.random.default_rng(0)
    found = ["".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(count)]
    return [f"{text[:2]} {text[2:]}" if len(text) > 2 else text for text in found]


def sung(text, each=0.2):
    """Return the tones of the letters of ``text``, ``each`` in seconds."""
    return np.concatenate([tone(PITCH[letter], each, noise=0.02, seed=i) for i, letter in enumerate(text)])


def speech(root, rows=None, suffix="csv", name="metadata", each=0.2, absolute=True):
    """Write a sound for each of ``rows``, and a table of them; return the source that reads it."""
    root.mkdir(parents=True, exist_ok=True)
    said = []
    for i, text in enumerate(texts(24) if rows is None else rows):
        path = root / f"{i:03}.wav"
        soundfile.write(path, sung([c for c in text.lower() if c in PITCH] or "a", each), RATE)
        said.append({"file": str(path) if absolute else path.name, "said": text})
    table = root / f"{name}.{suffix}"
    if suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(said), table)
    elif suffix == "jsonl":
        table.write_text("\n".join(map(json.dumps, said)))
    else:
        mark = '{},"{}"' if suffix == "csv" else "{}\t{}"
        table.write_text("\n".join(mark.format(*row) for row in (("file", "said"), *(row.values() for row in said))))
    return {"from": "files", "train": str(table)}


def hub_like(folder, build="wav2vec2", norm="layer", letters="abc", tokenizer=True):
    """Save an untrained model of transcripts as a hub has it, with extractor and tokenizer; return its source."""
    from transformers import AutoConfig, AutoModelForCTC

    from pipelines.data.sequences.transcripts import of_characters
    from pipelines.sources.sounds.listeners import EXTRACTORS, extractor_of

    torch.manual_seed(0)
    made = of_characters([letters])
    head = {"vocab_size": len(made), "pad_token_id": 0}
    if build == "parakeet_ctc":
        config = AutoConfig.for_model(build, encoder_config=PARAKEET | {"num_mel_bins": 16}, **head)
        extractor = extractor_of(EXTRACTORS["log-mel"], RATE, 16)
    else:
        config = AutoConfig.for_model(build, **LISTENER | {"feat_extract_norm": norm}, **head)
        extractor = extractor_of(EXTRACTORS["waveform"], RATE, 1)
    AutoModelForCTC.from_config(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    if tokenizer:
        made.save_pretrained(folder)
    return {"from": "folder", "folder": str(folder)}
