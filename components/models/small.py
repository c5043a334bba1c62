"""Small models that take inputs by keyword and return logits ``(B, C)``, or a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn


class _OnInput(nn.Sequential):
    """Sequential layers whose input is called ``input``."""


def lenet(channels: int, size: int, classes: int) -> nn.Module:
    """Return LeNet-5 with ReLU and max pooling; 62 thousand parameters at 28 x 28."""
    padding = 2 if size >= 28 else 0
    side = ((size + 2 * padding - 4) // 2 - 4) // 2
    if side < 1:
        raise ValueError(f"lenet needs images of 16 x 16 or more, got {size} x {size}; cnn and mlp take smaller ones")
    return _OnInput(
        nn.Conv2d(channels, 6, 5, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side * side, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def cnn(channels: int, size: int, classes: int) -> nn.Module:
    """Return a CNN with batch norm (32 and 64 channels) and a hidden layer of 128 with dropout."""
    side = size // 4
    return _OnInput(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * side * side, 128),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(128, classes),
    )


def mlp(channels: int, size: int, classes: int, hidden: int = 256) -> nn.Module:
    """Return a perceptron with one hidden layer."""
    return _OnInput(nn.Flatten(), nn.Linear(channels * size * size, hidden), nn.ReLU(), nn.Linear(hidden, classes))


class _Bag(nn.Module):
    """Mean of a text's token vectors, masked by ``attention_mask``, and a linear layer."""

    def __init__(self, vocabulary: int, classes: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(vocabulary, width, mode="sum")
        self.head = nn.Linear(width, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        share = attention_mask / attention_mask.sum(1, keepdim=True)
        logits: Tensor = self.head(self.vectors(input_ids, per_sample_weights=share.to(self.vectors.weight.dtype)))
        return logits


def bag(vocabulary: int, classes: int, width: int = 64) -> nn.Module:
    """Return a fastText-like classifier (Joulin et al., arXiv 1607.01759) of token ids, without its n-grams."""
    return _Bag(vocabulary, classes, width)


def table_mlp(columns: int, outputs: int, hidden: Sequence[int] = (128, 64), dropout: float = 0.0) -> nn.Module:
    """Return a perceptron with ReLU, and with dropout if it is above 0."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(columns, width), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        columns = width
    return _OnInput(*layers, nn.Linear(columns, outputs))


#: Layers that need more than one value per channel in training.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
#: Small models of tables by name: ``(columns, outputs, **options) -> model``.
TABLES: dict[str, Callable[..., nn.Module]] = {"table-mlp": table_mlp}
#: Small models of texts by name: ``(vocabulary, classes, **options) -> model``.
TEXTS: dict[str, Callable[..., nn.Module]] = {"bag": bag}
#: Small image models by name: ``(channels, size, classes, **options) -> model``.
SMALL: dict[str, Callable[..., nn.Module]] = {"lenet": lenet, "cnn": cnn, "mlp": mlp}
#: Blocks of a model without a list of blocks.
NO_BLOCKS = nn.ModuleList()


def freeze_all_but_last(model: nn.Module, layers: int) -> None:
    """Freeze a transformer's embeddings and all but the last ``layers`` blocks.

    Pooler and head stay trainable. Blocks that share weights (ALBERT's) count as one. Frozen modules stay in evaluation mode
    even in training, since their dropout would only make outputs random. A head that shares the embeddings' weights is frozen
    with them.

    Raises:
        ValueError: if the model has no list of that many blocks.
    """
    _, blocks = blocks_of(model)
    found = len(blocks)
    if blocks is NO_BLOCKS or layers > found:
        raise ValueError(f"train_layers must be in [0, {found}], got {layers}; the nearest that works is {found}")
    for module in [*embeddings_of(model).values(), *blocks[: found - layers]]:
        module.requires_grad_(False)
        module.train = partial(stay_in_evaluation, module)
        module.eval()


@contextmanager
def norms_of_one_value(model: nn.Module) -> Iterator[None]:
    """Make batch norm use running statistics for single values per channel, instead of raising."""
    norms = [m for m in model.modules() if isinstance(m, NORMS) and m.training]
    hooks = [norm.register_forward_pre_hook(_settle_one_value) for norm in norms]
    try:
        yield
    finally:
        for norm, hook in zip(norms, hooks, strict=True):
            hook.remove()
            norm.train()


def _settle_one_value(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    norm.train(inputs[0].numel() > inputs[0].shape[1])


def stay_in_evaluation(module: nn.Module, mode: bool = True) -> nn.Module:
    """Set evaluation mode, whatever ``mode`` is."""
    return type(module).train(module, False)


def blocks_of(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the list of a transformer's blocks and its name in ``model``; ``NO_BLOCKS`` if there is none."""
    prefix, base = _base_of(model)
    lists = [(prefix + name, m) for name, m in base.named_modules() if isinstance(m, nn.ModuleList)]
    return next((found for found in lists if len(found[1]) > 1), next(iter(lists), ("", NO_BLOCKS)))


def embeddings_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return a transformer's embedding modules, nested ones included, by name in ``model``."""
    prefix, base = _base_of(model)
    named = base.named_modules()
    return {prefix + n: m for n, m in named if isinstance(m, nn.Embedding) or "embed" in n.split(".")[-1]}


def _base_of(model: nn.Module) -> tuple[str, nn.Module]:
    """Return ``model`` without its head, and the prefix of its module names."""
    base = getattr(model, "base_model", model)
    return ("" if base is model else f"{model.base_model_prefix}."), base
