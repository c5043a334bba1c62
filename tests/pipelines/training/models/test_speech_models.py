"""Models of transcripts: padding changes nothing, what transformers computes comes out, and they come back from their files."""

import pytest
import torch
from torch.nn.functional import ctc_loss

from components.evidence.transcripts import Transcripts
from pipelines.core.errors import UserError
from pipelines.data.manifest import AudioFacts
from pipelines.training import models
from tests.pipelines.records import manifest, model_plan
from tests.pipelines.sound_encoders import SIZES
from tests.pipelines.speech import LISTENER, PARAKEET, hub_like

BLANK, TOKENS = 0, 7
#: Of WavLM's attention, and LASR's convolutions.
pytestmark = [pytest.mark.filterwarnings(f"ignore:{said}") for said in ("Support for mismatched", "Using padding='same'")]


def facts(shape, **more):
    name = "Wav2Vec2FeatureExtractor" if len(shape) == 1 else "ParakeetFeatureExtractor"
    audio = AudioFacts(features=name, sampling_rate=8000, seconds=1)
    given = {"kind": "audio", "target": "transcript", "metric": "wer", "higher": False, "classes": [], "outputs": 1}
    return manifest(**given | {"shape": shape, "vocabulary": TOKENS, "pad": BLANK, "audio": audio} | more)


BANDS, WAVE = facts([200, 16]), facts([8000])
#: Type of transformers -> its options, and the sounds.
UNTRAINED = {
    "parakeet_ctc": (PARAKEET, BANDS),
    "lasr_ctc": (SIZES | {"subsampling_conv_channels": 8}, BANDS),
    "wav2vec2-conformer": (LISTENER, WAVE),
    "wav2vec2": (LISTENER, WAVE),
    "hubert": (LISTENER, WAVE),
    "wavlm": ({k: v for k, v in LISTENER.items() if k != "num_feat_extract_layers"}, WAVE),
    "data2vec-audio": ({k: v for k, v in LISTENER.items() if k != "feat_extract_norm"}, WAVE),
}
GROUPS = {"normed over a group": ("wav2vec2", LISTENER | {"feat_extract_norm": "group"}, WAVE)}
ALL = {name: (name, *parts) for name, parts in UNTRAINED.items()} | GROUPS
every_model = pytest.mark.parametrize(("name", "options", "found"), ALL.values(), ids=ALL)


def built(name, options, found, seed=0):
    torch.manual_seed(seed)
    return models.build(model_plan(family="untrained", type=name, options=options), found)


def batch(found, lengths=(1.0, 0.6, 0.31)):
    torch.manual_seed(1)
    length = torch.tensor([int(share * found.shape[0]) for share in lengths])
    sounds = torch.randn(len(length), found.shape[0], *found.shape[1:])
    for sound, size in zip(sounds, length, strict=True):
        sound[size:] = 0
    return sounds, length


TARGET = torch.tensor([[3, 3, 4], [1, 2, -100], [5, -100, -100]])


@every_model
def test_the_loss_in_a_batch_is_the_loss_alone_and_that_of_transformers(name, options, found):
    model, (sounds, length) = built(name, options, found).eval(), batch(found)
    with torch.no_grad():
        together = Transcripts(BLANK).see(model(sounds, length), TARGET, norm=False).loss
        for i, size in enumerate(length.tolist()):
            own = TARGET[i][TARGET[i] >= 0]
            alone = Transcripts(BLANK).see(model(sounds[i : i + 1, :size], length[i : i + 1]), own[None], norm=False).loss
            torch.testing.assert_close(together[i], alone[0], rtol=1e-4, atol=1e-5)
            logits = model.body(sounds[i : i + 1, :size]).logits
            frames = torch.tensor([logits.shape[1]])
            theirs = ctc_loss(logits.log_softmax(-1).transpose(0, 1), own[None], frames, torch.tensor([len(own)]), BLANK)
            torch.testing.assert_close(together[i], theirs, rtol=1e-4, atol=1e-5)


@every_model
def test_padding_has_no_gradient(name, options, found):
    model, (sounds, length) = built(name, options, found).eval(), batch(found)
    sounds.requires_grad_()
    loss = Transcripts(BLANK).see(model(sounds, length), TARGET, norm=False).loss.sum()
    (gradient,) = torch.autograd.grad(loss, sounds)
    assert all((row[size:] == 0).all() for row, size in zip(gradient, length, strict=True))
    assert all(row[:size].abs().sum() > 0 for row, size in zip(gradient, length, strict=True))


@pytest.mark.parametrize("name", ["parakeet_ctc", "wav2vec2-conformer"])
def test_it_follows_the_seed_and_comes_back_from_its_files_as_transformers_reads_them(tmp_path, name):
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    from pipelines.data.sequences.transcripts import of_characters

    options, found = UNTRAINED[name]
    one, again, other = (built(name, options, found, seed).eval() for seed in (0, 0, 1))
    sounds, length = batch(found)
    with torch.no_grad():
        assert torch.equal(one(sounds, length), again(sounds, length))
        assert not torch.equal(one(sounds, length), other(sounds, length))
        of_characters(["abcde"]).save_pretrained(tmp_path / "tokenizer")
        models.save(one, tmp_path / "out", model_plan(family="untrained", type=name, options=options), tmp_path / "tokenizer")
        models.load_weights(other, tmp_path / "out")
        assert torch.equal(one(sounds, length), other(sounds, length))
        read = AutoModelForCTC.from_pretrained(tmp_path / "out").eval()
        torch.testing.assert_close(read(sounds[:1]).logits, one(sounds, length)[:1])
    assert AutoTokenizer.from_pretrained(tmp_path / "out").get_vocab().keys() == {"<pad>", "|", *"abcde"}
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "out").sampling_rate == 8000


def pretrained(tmp_path, build="wav2vec2", **more):
    source = hub_like(tmp_path / "model", build, more.pop("norm", "layer"), "abcde")
    return model_plan(family="transformers", source=source, **more)


@pytest.mark.parametrize(("build", "found"), [("wav2vec2", WAVE), ("hubert", WAVE), ("parakeet_ctc", BANDS)])
def test_a_pretrained_one_has_its_weights_and_its_head(tmp_path, build, found):
    from transformers import AutoModelForCTC

    plan = pretrained(tmp_path, build)
    model, theirs = models.build(plan, found).eval(), AutoModelForCTC.from_pretrained(plan.source.folder).eval()
    sounds, length = batch(found)
    with torch.no_grad():
        torch.testing.assert_close(model(sounds, length)[0], theirs(sounds[:1]).logits[0], rtol=1e-4, atol=1e-5)
    fewer = models.build(plan, facts(found.shape, vocabulary=4))
    assert fewer(sounds, length).shape[-1] == 4


@pytest.mark.parametrize(("build", "found"), [("wav2vec2", WAVE), ("parakeet_ctc", BANDS)])
def test_the_last_layers_alone_are_trained(tmp_path, build, found):
    counts = []
    for layers in (0, 1, 2):
        model = models.build(pretrained(tmp_path, build, train_layers=layers), found)
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        counts.append(len(trained))
        assert {n for n in trained if "layers." not in n} == {n for n, _ in model.named_parameters() if "_head" in n}
    assert counts[0] == 2
    assert counts[0] < counts[1] < counts[2]
    with pytest.raises(UserError, match=r"train_layers must be in \[0, 2\], got 3; the nearest that works is 2"):
        models.build(pretrained(tmp_path, build, train_layers=3), found)


@pytest.mark.parametrize(
    ("name", "options", "found", "said"),
    [
        ("wav2vec3", {}, WAVE, r"model: type: 'wav2vec3': .*did you mean 'wav2vec2'"),
        ("wav2vec2", {"hidden_sise": 8}, WAVE, r"model: options.hidden_sise: .*did you mean 'hidden_size'"),
        ("wav2vec2", LISTENER, BANDS, r"does not take features of 200 x 16: "),
        (
            "parakeet_ctc",
            PARAKEET,
            facts([200, 17]),
            r"does not take features of 200 x 17: .*; set audio.features or audio.mels",
        ),
        (
            "wav2vec2-conformer",
            LISTENER | {"feat_extract_norm": "group"},
            WAVE,
            r"options.feat_extract_norm: 'group' norms over padding.*one that works is 'layer'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(name, options, found, said):
    with pytest.raises(UserError, match=said):
        built(name, options, found)


def test_no_layer_is_left_out_by_chance(tmp_path):
    for plan, found in ((pretrained(tmp_path, "parakeet_ctc"), BANDS), (pretrained(tmp_path / "w"), WAVE)):
        model = models.build(plan, found)
        named = [(n, m.layerdrop) for n, m in model.named_modules() if hasattr(m, "layerdrop")]
        assert all(rate == 0 for _, rate in named)
        assert not getattr(model.body.config, "apply_spec_augment", False)


def test_a_model_that_hears_padding_is_found_out():
    model = built("wav2vec2-conformer", *UNTRAINED["wav2vec2-conformer"]).eval()
    sounds, length = batch(WAVE)
    for module in model.modules():
        module._forward_pre_hooks.clear()
    with torch.no_grad():
        alone, both = model(sounds[2:, : length[2]], length[2:])[0], model(sounds, length)[2]
    assert (both[: len(alone)] - alone).abs().max() > 1e-3
