"""Untrained transformers models of sounds for tests, saved with their feature extractors."""

import torch

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
WAVES = SIZES | {
    "conv_dim": [8, 8],
    "conv_kernel": [10, 8],
    "conv_stride": [5, 4],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
    "feat_extract_norm": "layer",
}
BANDS = SIZES | {"patch_size": 8, "frequency_stride": 8, "time_stride": 8}


def ast():
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    extractor = ASTFeatureExtractor(sampling_rate=8000, num_mel_bins=16, max_length=24)
    return ASTForAudioClassification(ASTConfig(**BANDS, num_mel_bins=16, max_length=24, num_labels=7)), extractor


def conformer():
    from transformers import Wav2Vec2ConformerConfig, Wav2Vec2ConformerForSequenceClassification, Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(sampling_rate=8000, return_attention_mask=True)
    return Wav2Vec2ConformerForSequenceClassification(Wav2Vec2ConformerConfig(**WAVES, num_labels=7)), extractor


def saved_at(folder, build):
    """Save an untrained model and its feature extractor into ``folder``; return both and their source."""
    torch.manual_seed(0)
    model, extractor = build()
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model, extractor, {"from": "folder", "folder": str(folder)}
