"""Pretrained models and tokenizers of folders; one that is not whole is named."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from tests.pipelines.encoders import bert, fewer_tokens, model_of
from tests.pipelines.text_pairs import COLUMNS, pairs, written


def no_tokenizer(folder):
    for path in [*folder.glob("tokenizer*"), *folder.glob("vocab*")]:
        path.unlink()


def half(name):
    def cut(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return cut


SPOILED = {
    "no tokenizer": (no_tokenizer, r"encoder: has no tokenizer; one of tokenizer\.json"),
    "half a tokenizer": (half("tokenizer.json"), r"encoder: its tokenizer cannot be loaded"),
    "half of the weights": (
        half("model.safetensors"),
        r"encoder/model\.safetensors: is truncated or damaged: .*; fetch or copy it again",
    ),
    "no weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        r"encoder/model\.safetensors: is truncated or damaged",
    ),
    "half a configuration": (half("config.json"), r"encoder: its .* cannot be "),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), r"encoder: is no folder of a transformers model"),
    "a tokenizer of another model": (
        fewer_tokens,
        r"has 10 tokens, and its tokenizer, perhaps another model's, gives the token id 14",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILED.values(), ids=SPOILED)
def test_an_encoder_that_cannot_be_used_is_named_before_anything_is_written(prepared, saved, tmp_path, spoil, said):
    source = saved(bert)
    spoil(Path(source["folder"]))
    with pytest.raises(UserError, match=said):
        prepared(written(tmp_path, pairs()), COLUMNS, test=4, max_length=16, model=model_of(source))
    assert not Path("results/prepare").exists()


@pytest.mark.parametrize(
    ("model", "reads"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        # Its first position is the one after that of padding, 1: 514 - 2.
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "xlnet", "max_position_embeddings": -1, "pad_token_id": 5}, None),
        ({"model_type": "t5"}, None),
    ],
)
def test_a_model_reads_as_many_tokens_as_it_has_positions_for(model, reads):
    assert pretrained.reads(SimpleNamespace(**model)) == reads
