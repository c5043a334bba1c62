"""Low-rank adapters (LoRA, arXiv 2106.09685) of pretrained models, by peft."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from components.models.small import NORMS, stay_in_evaluation
from pipelines.config.schema.model import Lora
from pipelines.config.schema.source import FromHub, ModelSource
from pipelines.core.errors import unknown

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

#: Files of saved adapters, named as peft names them.
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
#: What peft puts before the names of a model's tensors.
PREFIX = "base_model.model."
#: peft's name of the only adapter of a model.
ADAPTER = "default"


def add(model: nn.Module, lora: Lora, new: Iterable[str]) -> None:
    """Add adapters to ``model`` in place; only they and the parameters named in ``new`` are trained.

    Modules that are frozen already get none. Batch norms keep their statistics, as the rest of the frozen model.

    Raises:
        ValueError: for a target that matches no module, or a rank above the smaller side of one.
    """
    from peft import LoraConfig, inject_adapter_in_model
    from transformers.pytorch_utils import Conv1D

    trained = set(new)
    found = _targets(model, lora, trained)
    _check_rank(model, lora.rank, found)
    rates = {"r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout}
    transposed = any(isinstance(model.get_submodule(name), Conv1D) for name in found)
    with warnings.catch_warnings():
        # A model may have layers of both layouts, of which peft corrects the other and warns.
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
        inject_adapter_in_model(LoraConfig(target_modules=found, fan_in_fan_out=transposed, **rates), model, ADAPTER)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_" in name or name in trained)
    for norm in (module for module in model.modules() if isinstance(module, NORMS)):
        norm.train = partial(stay_in_evaluation, norm)  # type: ignore[assignment, method-assign]
        norm.eval()


def _targets(model: nn.Module, lora: Lora, trained: set[str]) -> list[str]:
    """Return the full names of the modules that get adapters, which are not trained themselves."""
    could = {name: layer for name, layer in _layers(model) if f"{name}.weight" not in trained}
    free = [name for name, layer in could.items() if layer.weight.requires_grad]
    found = set()
    for target in lora.targets or _default(model, could):
        matched = [name for name in free if _matches(name, target)]
        if not matched and any(_matches(name, target) for name in could):
            raise ValueError(
                f"lora.targets: {target!r} is in no trained layer; a higher train_layers has more, or leave it out"
            )
        if not matched:
            parts = could if "." in target else {name.rpartition(".")[2] for name in could}
            raise ValueError(unknown(f"lora.targets: {target!r}", "module", target, parts))
        found.update(matched)
    return sorted(found)


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    """Yield the modules that can have adapters, by name."""
    from transformers.pytorch_utils import Conv1D

    for name, module in model.named_modules():
        inside = isinstance(model.get_submodule(name.rpartition(".")[0]), nn.MultiheadAttention)
        # Multi-head attention reads the weights of its layers, and so would not see their adapters.
        if isinstance(module, nn.Linear | nn.Conv2d | Conv1D) and not inside:
            yield name, module


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _default(model: nn.Module, could: Iterable[str]) -> Sequence[str]:
    """Return peft's targets for the model's architecture."""
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
    targets = KNOWN.get(kind)
    if not isinstance(targets, list):  # none, or a regular expression
        names = sorted({name.rpartition(".")[2] for name in could})
        raise ValueError(f"lora.targets: peft has no default for {kind!r}; name one or more of {', '.join(names)}")
    return targets


def _check_rank(model: nn.Module, rank: int, targets: Iterable[str]) -> None:
    """Raise ValueError for a ``rank`` above the smaller side of a target's weight matrix."""
    shapes = {name: model.get_submodule(name).weight.flatten(1).shape for name in targets}  # type: ignore[operator]
    name = min(shapes, key=lambda n: min(shapes[n]))
    if rank > (most := min(shapes[name])):
        size = " x ".join(map(str, shapes[name]))
        raise ValueError(
            f"lora.rank: must be in [1, {most}], the smaller side of {name!r} ({size}), got {rank}; "
            f"the nearest that works is {most}"
        )


def _adapted(model: nn.Module) -> dict[str, LoraLayer]:
    """Return the modules of ``model`` that have an adapter, by name."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def has(model: nn.Module) -> bool:
    """Return whether ``model`` has adapters."""
    return hasattr(model, "peft_config")


def save(model: nn.Module, folder: Path, source: ModelSource) -> None:
    """Write adapters and trained parameters of ``model`` into ``folder``, as ``peft.PeftModel.from_pretrained`` takes them.

    ``source`` is that of the model below, which is not written.
    """
    from safetensors.torch import save_file

    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    save_file({_saved_name(name): tensor.contiguous() for name, tensor in trained.items()}, folder / WEIGHTS)
    config = {k: sorted(v) if isinstance(v, set) else v for k, v in model.peft_config[ADAPTER].to_dict().items()}  # type: ignore[index, union-attr]
    config["modules_to_save"] = sorted({name.rpartition(".")[0] for name in trained if ".lora_" not in name})
    config["inference_mode"] = True
    if isinstance(source, FromHub):
        config |= {"base_model_name_or_path": source.id, "revision": source.revision}
    (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _saved_name(name: str) -> str:
    return PREFIX + name.replace(f".{ADAPTER}.", ".")


def load(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load the ``tensors`` that ``save`` wrote into a ``model`` built the same way.

    Raises:
        ValueError: if they are of another model or other adapters.
    """
    _copy({_saved_name(name): p for name, p in model.named_parameters() if p.requires_grad}, tensors)


def merged(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of the model without adapters that computes what ``model`` does, up to rounding."""
    state = {name: tensor for name, tensor in model.state_dict().items() if ".lora_" not in name}
    for name, layer in _adapted(model).items():
        state[f"{name}.base_layer.weight"] = layer.base_layer.weight.detach() + layer.get_delta_weight(ADAPTER).detach()
    return {_plain_name(name): tensor for name, tensor in state.items()}


def load_merged(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load the ``tensors`` of a merged model into a ``model`` with adapters, which then add nothing.

    Raises:
        ValueError: if they are of another model.
    """
    places = {_plain_name(n): t for n, t in model.state_dict().items() if ".lora_" not in n}
    written = {tensor.data_ptr() for name, tensor in places.items() if name in tensors}
    # Of tensors that share their memory one alone is saved.
    _copy({n: t for n, t in places.items() if n in tensors or t.data_ptr() not in written}, tensors)
    for layer in _adapted(model).values():
        nn.init.zeros_(layer.lora_B[ADAPTER].weight)


def _plain_name(name: str) -> str:
    return name.replace(".base_layer.", ".")


def _copy(places: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Copy ``tensors`` into ``places`` by name, after checking names and shapes."""
    if strange := sorted(places.keys() ^ tensors.keys()):
        raise ValueError(f"{strange[0]} is {'missing' if strange[0] in places else 'not in the model'}")
    for name, place in places.items():
        if place.shape != tensors[name].shape:
            raise ValueError(f"{name} is of size {list(tensors[name].shape)}, and the model's of {list(place.shape)}")
    with torch.no_grad():
        for name, place in places.items():
            place.copy_(tensors[name])
