"""Builders of timm's models: untrained, or with weights of a file, read without pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from components.models.normalised import Normalised, Scale, check_images
from pipelines.config.schema.model import Timm
from pipelines.config.schema.source import FromHub, FromPackage, ModelSource
from pipelines.core.errors import UserError, unknown
from pipelines.data.manifest import Manifest
from pipelines.sources import hub_status, package_index, pretrained
from pipelines.training.models import adapters
from pipelines.training.models.image_models import given

if TYPE_CHECKING:
    from timm.models import PretrainedCfg
    from torch import Tensor, nn

#: Weights of timm on the hub and in the folders that it saves, and the description beside them.
WEIGHTS, DESCRIPTION = "model.safetensors", "config.json"
#: Tensors named in an error.
NAMED = 3


def timm_model(model: Timm, manifest: Manifest, channels: int, size: int) -> nn.Module:
    """Return the planned model of timm, with a head for the prepared data.

    Raises:
        UserError: if its weights cannot be read.
        ValueError: if there is no such model, the weights are another's, or it does not take the images.
    """
    known = _known(model.name)
    options = {"img_size": size, **model.options} if known.fixed_input_size else dict(model.options)
    options["in_chans"] = channels
    if model.source is None:
        built = Normalised(_created(model.name, {"num_classes": manifest.outputs, **options}), size)
    else:
        path = weights_file(model.source)
        body = _pretrained(model, path, options, known)
        if body.num_classes != manifest.outputs:
            body.reset_classifier(manifest.outputs)  # type: ignore[operator]
        built = Normalised(body, size, given(manifest), _own(model.source, path, known).of_channels(channels))
    check_images(built, channels, size, manifest.outputs)
    if model.train_layers is not None:
        _freeze(built, model.train_layers, known)
    if model.lora is not None:
        heads = tuple(f"{name}." for name in _classifiers(known))
        adapters.add(built.body, model.lora, [n for n, _ in built.body.named_parameters() if n.startswith(heads)])
    return built


def _known(name: str) -> PretrainedCfg:
    """Return what timm knows of the model ``name`` and its weights.

    Raises:
        ValueError: if it knows no such model.
    """
    import timm

    try:
        if timm.is_model(name):
            return timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()
    except RuntimeError:  # an unknown tag after the dot
        pass
    known = [*timm.list_models(), *timm.list_models(pretrained=True)]
    raise ValueError(unknown(f"name: {name!r}", "timm model", name, known))


def _created(name: str, options: Mapping[str, object]) -> nn.Module:
    import timm

    built: nn.Module = timm.create_model(name, **options)
    return built


def weights_file(source: ModelSource) -> Path:
    """Return the path of the weights of ``source``: a file, or the one of a folder or hub id.

    Raises:
        UserError: if there is none.
    """
    if isinstance(source, FromHub):
        return _of_hub(source, WEIGHTS)
    path = package_index.member(source) if isinstance(source, FromPackage) else Path(source.folder)
    path = path / WEIGHTS if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"{path}: no such file; a model of timm takes the path of its weights, or of a folder with {WEIGHTS}")
    return path


def _of_hub(source: FromHub, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    hub_status.away()
    try:
        return Path(hf_hub_download(source.id, name, revision=source.revision))
    except Exception as error:  # the client raises errors of its own and of its transport
        raise UserError(f"{source.id}: its {name} cannot be fetched: {hub_status.error_text(error)}") from None


def _state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weights file, by name; those of a checkpoint's model if it has more.

    Raises:
        UserError: if it cannot be read as tensors alone.
    """
    import torch
    from timm.models import load_state_dict

    if path.suffix == ".safetensors":
        pretrained.check_whole(path)
    try:
        state: dict[str, Tensor] = load_state_dict(str(path), weights_only=True)
    except Exception as error:  # readers raise errors of their own for a damaged file
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: cannot be read as weights, without running a pickle: {reason}") from None
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path}: holds no weights: a name with a tensor each is needed")
    return state


def _pretrained(model: Timm, path: Path, options: Mapping[str, object], known: PretrainedCfg) -> nn.Module:
    """Return timm's model with the weights of ``path``, and as many classes as they have."""
    state = _state(path)
    if model.keys == "by-order":
        state = _by_order(state, _created(model.name, {**options, "in_chans": known.input_size[0]}), path)
    head = state.get(f"{_classifiers(known)[0]}.weight")
    classes = 0 if head is None else len(head)
    # Else timm would not be strict about a file of other classes, nor keep its head.
    overlay = {"state_dict": dict(state), "num_classes": classes, "label_offset": 0}
    try:
        return _created(model.name, {**options, "pretrained": True, "num_classes": classes, "pretrained_cfg_overlay": overlay})
    except Exception as error:  # timm's converters of older files raise anything
        reason = _unlike(state, _created(model.name, {**options, "num_classes": classes}).state_dict(), known)
        reason = reason or str(error).partition("\n")[0]
        raise ValueError(f"{path}: does not fit {model.name!r}: {reason}") from None


def _classifiers(known: PretrainedCfg) -> tuple[str, ...]:
    """Return the names of the model's last layers; a distilled one has several."""
    found: str | tuple[str, ...] = known.classifier or "head"
    return (found,) if isinstance(found, str) else tuple(found)


def _unlike(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], known: PretrainedCfg) -> str:
    """Return which tensors do not fit a model; "" if all do."""
    first = f"{known.first_conv}.weight"  # timm fits it to the channels
    strange, missing = [k for k in state if k not in wanted], [k for k in wanted if k not in state]
    other = [k for k in state if k in wanted and k != first and state[k].shape != wanted[k].shape]
    shapes = [f"{k} {list(state[k].shape)} for {list(wanted[k].shape)}" for k in other]
    parts = {"it lacks": missing, "it has besides": strange, "of another shape": shapes}
    return "; ".join(f"{what} {_first(names)}" for what, names in parts.items() if names)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _by_order(state: Mapping[str, Tensor], like: nn.Module, path: Path) -> dict[str, Tensor]:
    """Return the tensors of another library's file under the names of timm's model.

    Raises:
        ValueError: if there are more or fewer, or one has another shape or the last part of its name differs.
    """
    if path.suffix == ".safetensors":
        raise ValueError(f"{path}: keys: by-order: safetensors sorts its tensors; a file of torch.save keeps their order")
    wanted = like.state_dict()
    for number, ((name, value), (place, by_model)) in enumerate(zip(state.items(), wanted.items(), strict=False), 1):
        if value.shape != by_model.shape or name.split(".")[-1] != place.split(".")[-1]:
            raise ValueError(
                f"{path}: keys: by-order: tensor {number} is {name} {list(value.shape)}, and the model has {place} "
                f"{list(by_model.shape)} there"
            )
    if len(state) != len(wanted):
        raise ValueError(f"{path}: keys: by-order: has {len(state)} tensors, and the model {len(wanted)}")
    return dict(zip(wanted, state.values(), strict=True))


def _own(source: ModelSource, path: Path, known: PretrainedCfg) -> Scale:
    """Return the mean and deviation that the weights were trained with.

    Those of the description beside them come before timm's own.
    """
    beside: dict[str, list[float]] = {}
    file = _of_hub(source, DESCRIPTION) if isinstance(source, FromHub) else path.with_name(DESCRIPTION)
    if file.exists() and path.name == WEIGHTS:
        try:
            beside = json.loads(file.read_text(encoding="utf-8")).get("pretrained_cfg", {})
        except (ValueError, AttributeError) as error:
            raise UserError(f"{file}: cannot be read: {error}") from None
    mean, deviation = beside.get("mean", known.mean), beside.get("std", known.std)
    return Scale([255 * value for value in mean], [255 * value for value in deviation])


def _freeze(model: Normalised, layers: int, known: PretrainedCfg) -> None:
    """Freeze all but the head and the last ``layers`` of the layers that timm divides the model into.

    Raises:
        ValueError: if it has fewer.
    """
    from timm.models import group_parameters

    named = dict(model.body.named_parameters())
    groups = group_parameters(model.body, model.body.group_matcher(coarse=True)).values()  # type: ignore[operator]
    heads = tuple(f"{name}." for name in _classifiers(known))
    below = [found for group in groups if (found := [named[name] for name in group if not name.startswith(heads)])]
    if layers > (most := len(below)):
        raise ValueError(f"train_layers must be in [0, {most}], got {layers}; the nearest that works is {most}")
    model.freeze(parameter for group in below[: most - layers] for parameter in group)
