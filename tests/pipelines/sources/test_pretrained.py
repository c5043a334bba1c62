"""Pretrained models and tokenizers of folders; one that is not whole is named."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.source import ModelSource
from pipelines.core import artifacts
from pipelines.core.errors import UserError
from pipelines.sources import pretrained
from tests.pipelines.encoders import bert, fewer_tokens, model_of
from tests.pipelines.pictures import images
from tests.pipelines.text_pairs import COLUMNS, pairs, written
from tests.pipelines.vision_encoders import DEVIATION, MEAN, saved_at, vit


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


def test_an_image_processor_says_how_images_are_prepared(tmp_path):
    _, source = saved_at(tmp_path, vit)
    given = TypeAdapter(ModelSource).validate_python(source)
    found = pretrained.image_processor(given)
    assert found.side == 16
    assert found.mean == pytest.approx([25.5, 51, 76.5])
    assert found.deviation == pytest.approx([102, 127.5, 153])
    saved_at(tmp_path, vit, do_normalize=False, rescale_factor=1 / 128)
    assert pretrained.image_processor(given) == pretrained.ImageProcessor(16, [0], [128])
    saved_at(tmp_path, vit, size={"shortest_edge": 20}, do_rescale=False)
    assert pretrained.image_processor(given) == pretrained.ImageProcessor(20, MEAN, DEVIATION)
    (tmp_path / pretrained.PROCESSOR).write_text("{")
    with pytest.raises(UserError, match="its image processor cannot be loaded: "):
        pretrained.image_processor(given)


@pytest.mark.parametrize("size", [None, 8])
def test_images_without_a_size_get_that_of_their_model(prepared, tmp_path, size):
    _, source = saved_at(tmp_path / "encoder", vit)
    given = {} if size is None else {"image_size": size}
    manifest, _, _ = prepared(images(tmp_path / "own"), {}, kind="image", test=2, model=model_of(source), **given)
    assert manifest.shape == [1, size or 16, size or 16]
    assert (TaskPlan.read(artifacts.plan_of("task")).tokenizer is None) == (size is not None)


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
