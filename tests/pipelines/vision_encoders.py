"""Untrained transformers models of images for tests, saved with their image processors."""

import torch

MEAN, DEVIATION = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]


def vit(**more):
    from transformers import ViTConfig, ViTForImageClassification

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return ViTForImageClassification(ViTConfig(**{**sizes, "image_size": 16, "patch_size": 4, "num_labels": 7, **more}))


def swin(**more):
    from transformers import SwinConfig, SwinForImageClassification

    sizes = {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2}
    return SwinForImageClassification(SwinConfig(**{**sizes, "image_size": 16, "patch_size": 2, "num_labels": 7, **more}))


def resnet(**more):
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(
        ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=7, **more)
    )


def saved_at(folder, build, **processor):
    """Save an untrained model and its image processor into ``folder``; return the model and its source."""
    from transformers import ViTImageProcessor

    torch.manual_seed(0)
    model = build().eval()
    model.save_pretrained(folder)
    settings = {"size": {"height": 16, "width": 16}, "image_mean": MEAN, "image_std": DEVIATION}
    ViTImageProcessor(**settings | processor).save_pretrained(folder)
    return model, {"from": "folder", "folder": str(folder)}
