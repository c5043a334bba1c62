"""Models and tokenizers from the hub, from a folder or from a package; no remote code is run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import packages
from pipelines.errors import UserError, unknown

if TYPE_CHECKING:
    from torch import nn

#: What every saved model's weights are called.
WEIGHTS = "model.safetensors"
#: Files without which a folder is no saved model; a tokenizer has one of several.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")


def location(source: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return what ``from_pretrained`` takes for a ``source``: a folder or hub id, and the revision.

    Raises:
        UserError: for a folder that is not there.
    """
    if source["from"] == "hub":
        return source["id"], {"revision": source["revision"]}
    path = packages.member(source) if source["from"] == "package" else Path(source["folder"])
    if not (path / "config.json").exists():
        raise UserError(f"{path}: is no folder of a transformers model: it has no config.json")
    return str(path), {}


def tokenizer(source: dict[str, Any] | None) -> Any:  # noqa: ANN401 - a PreTrainedTokenizerFast
    """Return the tokenizer that comes with the model of ``source``.

    Raises:
        UserError: where there is none.
    """
    from transformers import AutoTokenizer

    if source is None:
        raise UserError("a text task needs a model of the family 'transformers', whose tokenizer prepares the texts")
    place, options = location(source)
    if source["from"] != "hub" and not any((Path(place) / f).exists() for f in TOKENIZER_FILES):
        raise UserError(f"{place}: has no tokenizer; one of {', '.join(TOKENIZER_FILES)} is needed")
    try:
        return AutoTokenizer.from_pretrained(place, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: its tokenizer cannot be loaded: {error}") from None


def build(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    """Return the planned model with a head for what the prepared data ask for.

    Raises:
        UserError: for a name or folder that is not there, or a setting that the model cannot take.
    """
    try:
        return FAMILIES[model["family"]](model, manifest)
    except (ValueError, AssertionError, RuntimeError, TypeError) as error:  # torchvision asserts what fits its models
        raise UserError(f"params.yaml: tasks.{manifest['task']}.model: {error}") from None


def _small(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    from components import models

    table = manifest["kind"] == "table"
    sizes = manifest["shape"] if table else _of_square(manifest)
    function: Callable[..., nn.Module] = (models.TABLES if table else models.SMALL)[model["name"]]
    _check_options(model, function, len(sizes) + 1)
    return function(*sizes, manifest["outputs"], **model["options"])


def _of_square(manifest: dict[str, Any]) -> list[int]:
    """Return channels and side of the images."""
    channels, height, width = manifest["shape"]
    if height != width:
        raise ValueError(f"takes square images, got {height} x {width}; set image_size")
    return [channels, height]


def _check_options(model: dict[str, Any], function: Callable[..., object], given: int) -> None:
    """Refuse an option that ``function`` does not take, or that one of its ``given`` first arguments is."""
    known = list(inspect.signature(function).parameters)[given:]
    for key in model["options"]:
        if key not in known:
            raise ValueError(unknown(f"options.{key}", f"option of {model['name']!r}", key, known))


def _vision(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    from torchvision import models as zoo

    from components import models

    if model["name"] not in (known := zoo.list_models(module=zoo)):
        raise ValueError(unknown(repr(model["name"]), "torchvision model", model["name"], known))
    channels, size = _of_square(manifest)
    return models.vision(model["name"], channels, size, manifest["outputs"], model["options"])


def _transformer(model: dict[str, Any], manifest: dict[str, Any]) -> nn.Module:
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    from components.models import freeze_all_but_last

    # What it says of a new head is meant for people who did not ask for one.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    place, options = location(model["source"])
    head: dict[str, Any] = {"num_labels": manifest["outputs"]}
    if manifest["target"] == "number":
        head["problem_type"] = "regression"
    if model["num_hidden_layers"]:
        head["num_hidden_layers"] = model["num_hidden_layers"]
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, **head, **options)
        built = AutoModelForSequenceClassification.from_pretrained(
            place, config=config, trust_remote_code=False, use_safetensors=True, **options
        )
    except Exception as error:  # a truncated file raises what its reader raises
        raise UserError(f"{place}: the model cannot be loaded: {error}") from None
    if model["train_layers"] is not None:
        freeze_all_but_last(built, model["train_layers"])
    return _called_by_keyword(built)


def _called_by_keyword(model: nn.Module) -> nn.Module:
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ValueError("takes no input_ids")
    return model


#: How a model of each family is built, from its plan and the manifest.
FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], nn.Module]] = {
    "transformers": _transformer,
    "torchvision": _vision,
    "small": _small,
}


def save(model: nn.Module, folder: Path, plan: dict[str, Any]) -> None:
    """Write ``model`` into ``folder`` as safetensors; a transformer in its own format, tokenizer included."""
    if plan["family"] == "transformers":
        model.save_pretrained(folder)  # type: ignore[operator]
        tokenizer(plan["source"]).save_pretrained(folder)
        return
    from safetensors.torch import save_model

    save_model(model, str(folder / WEIGHTS))


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill ``model`` with the weights that ``save`` wrote.

    Raises:
        UserError: where the file is not whole, or is of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    path = folder / WEIGHTS
    try:
        load_model(model, str(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be loaded: {error}") from None


def quiet() -> None:
    """Keep the libraries from speaking to the network about themselves, and to the terminal about nothing."""
    for name, value in {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}.items():
        os.environ.setdefault(name, value)
