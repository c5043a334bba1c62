"""Transformers models of sounds are built, saved, loaded and frozen; silence at the end is told from sound."""

import pytest
import torch

from pipelines.core.errors import UserError
from pipelines.sources.sounds.features import Extracted
from pipelines.training import models
from pipelines.training.models.audio_models import reach
from tests.pipelines.records import manifest, model_plan
from tests.pipelines.sound_encoders import BANDS, WAVES, ast, conformer, saved_at
from tests.pipelines.tones import tone

SHAPES = {ast: [24, 16], conformer: [1600]}
PLANS = {
    "audio-spectrogram-transformer": ({**BANDS}, [1, 16, 24]),
    "wav2vec2-conformer": ({**WAVES}, [1600]),
}


def sounds(shape, classes=("a", "b", "c"), **more):
    return manifest(kind="audio", shape=shape, outputs=len(classes) or 1, classes=list(classes), **more)


def untrained(name):
    options, shape = PLANS[name]
    return model_plan(family="untrained", type=name, options=options), sounds(shape)


@pytest.mark.parametrize("build", [ast, conformer])
def test_it_says_of_a_sound_what_it_says_by_its_own_extractor(tmp_path, build):
    model, extractor, source = saved_at(tmp_path / "encoder", build)
    found = sounds(SHAPES[build], "abcdefg")
    ours = models.build(model_plan(family="transformers", source=source), found).eval()
    waves = [tone(440.0, 0.2), tone(900.0, 0.12)]
    features = Extracted(extractor, 0.2)
    given = torch.stack([torch.from_numpy(features(wave)) for wave in waves])
    expected = extractor(waves, sampling_rate=8000, return_tensors="pt", padding=True)
    with torch.no_grad():
        torch.testing.assert_close(ours(input=given), model(**expected).logits)


def test_several_numbers_are_the_names_of_a_regressions_outputs(tmp_path):
    _, _, source = saved_at(tmp_path / "encoder", ast)
    scales = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in ("pitch", "loudness")]
    found = sounds(SHAPES[ast], (), target="numbers", label_scales=scales).model_copy(update={"outputs": 2})
    ours = models.build(model_plan(family="transformers", source=source), found).eval()
    assert ours.body.config.id2label == {0: "pitch", 1: "loudness"}
    assert ours.body.config.problem_type == "regression"
    assert ours(input=torch.randn(3, *SHAPES[ast])).shape == (3, 2)


@pytest.mark.parametrize("name", PLANS)
def test_an_untrained_one_follows_the_data_and_the_seed_and_comes_back(tmp_path, name):
    plan, found = untrained(name)
    torch.manual_seed(0)
    first = models.build(plan, found).eval()
    second = models.build(plan, found).eval()
    torch.manual_seed(0)
    again = models.build(plan, found).eval()
    rows = torch.randn(2, *found.shape)
    assert torch.equal(first(rows), again(rows))
    assert not torch.equal(first(rows), second(rows))
    models.save(first, tmp_path / "out", plan)
    models.load_weights(second, tmp_path / "out")
    assert torch.equal(first(rows), second(rows))
    (tmp_path / "out" / "model.safetensors").write_bytes(b"none")
    with pytest.raises(UserError, match=r"out: cannot be loaded: "):
        models.load_weights(second, tmp_path / "out")


@pytest.mark.parametrize("build", [ast, conformer])
def test_transformers_reads_what_was_saved(tmp_path, build):
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    _, extractor, source = saved_at(tmp_path / "encoder", build)
    plan, found = model_plan(family="transformers", source=source), sounds(SHAPES[build])
    ours = models.build(plan, found).eval()
    models.save(ours, tmp_path / "out", plan)
    read = AutoModelForAudioClassification.from_pretrained(tmp_path / "out")
    assert read.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "out").to_dict() == extractor.to_dict()
    rows = torch.randn(2, *found.shape)
    torch.testing.assert_close(read(rows).logits, ours(rows))


@pytest.mark.parametrize("build", [ast, conformer])
@pytest.mark.parametrize("layers", [0, 1])
def test_only_the_head_and_the_last_layers_are_trained(tmp_path, build, layers):
    _, _, source = saved_at(tmp_path / "encoder", build)
    built = models.build(model_plan(family="transformers", source=source, train_layers=layers), sounds(SHAPES[build]))
    trained = {name for name, p in built.body.named_parameters() if p.requires_grad}
    inside = {name for name in trained if name.startswith(f"{built.body.base_model_prefix}.")}
    assert trained - inside
    assert all(".1." in name for name in inside)
    assert bool(inside) == bool(layers)
    with pytest.raises(UserError, match=r"train_layers must be in \[0, 2\], got 3; the nearest that works is 2"):
        models.build(model_plan(family="transformers", source=source, train_layers=3), sounds(SHAPES[build]))


def test_the_shortest_sound_is_heard_and_an_empty_one_gives_no_nan():
    plan, found = untrained("wav2vec2-conformer")
    model = models.build(plan, found).eval()
    assert model.least == reach(model.body.config) == 10 + 7 * 5
    rows = torch.zeros(2, 1600)
    rows[0, :3] = 1.0
    assert model(rows).isfinite().all()
    assert model._mask(rows).sum(1).tolist() == [45, 45]
    rows[1, 999] = 1.0
    assert model._mask(rows).sum(1).tolist() == [45, 1000]


def test_what_cannot_be_built_is_refused_with_the_nearest():
    _, found = untrained("wav2vec2-conformer")
    for keys, shape, said in (
        ({"type": "wav2vec2-conformr"}, [1600], r"type: 'wav2vec2-conformr'.*wav2vec2-conformer"),
        ({"type": "wav2vec2-conformer", "options": {"hidden": 3}}, [1600], r"options.hidden.*hidden_size"),
        ({"type": "wav2vec2-conformer", "options": WAVES}, [1, 16, 24], r"does not take features of 1 x 16 x 24: .*set audio"),
        ({"type": "audio-spectrogram-transformer", "options": BANDS}, [1600], r"does not take features of 1600"),
    ):
        with pytest.raises(UserError, match=said):
            models.build(model_plan(family="untrained", **keys), sounds(shape))
    assert found.shape == [1600]
