"""Trained models in their native MLflow flavours; nothing is pickled."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pipelines.config.plans import TaskPlan
from pipelines.config.schema.model import Model, Transformer
from pipelines.core.artifacts import HERE, PREPARED, plan_of
from pipelines.data.manifest import Manifest
from pipelines.tracking import served

if TYPE_CHECKING:
    from mlflow.types import Schema
    from pydantic import JsonValue
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Keys of the manifest that a user of a logged model needs to build its input and to read its output.
TO_READ_BY = ("target", "classes", "labels", "mean", "deviation", "features", "label_scale", "label_scales", "audio")
#: Path of a module's exported graph, and of a transformers model's files, in a model's folder.
EXPORTED = Path("data", "model.pt2")
PARTS = Path("model")
#: How to build a model's input, by kind of data, of transcripts by target; MLflow shows it with the model.
INPUT = {
    "text": "the plain text; a pair as two columns, text and text_pair",
    "language": "the prompt, as plain text",
    "seq2seq": "the source, as plain text",
    "instructions": "the messages so far: a list of objects with role (system, user, assistant) and content, the last a user's",
    "transcript": "sounds, each the samples of one channel in [-1, 1], at the sampling rate of audio",
    "image": "float32 (N, channels, height, width): (pixel - mean) / deviation, of pixels from 0 to 255",
    "audio": "float32 (N, *shape): the features of audio, as (value - mean) / deviation",
    "table": "float32 (N, columns): the entries of features in order; a number as (value - mean) / deviation, a category "
    "one-hot, its last column for any other value",
}
#: Meaning of the output of a model with numeric input, by target.
OUTPUT = {
    "class": "one logit for each of classes, in their order; the largest is the prediction",
    "classes": "one logit for each of labels, in their order; its sigmoid is the probability, and 0.5 or more the label",
    "numbers": "the numbers of label_scales, in their order; multiply each by its deviation and add its mean",
    "number": "the label; if label_scale is set, multiply it by its deviation and add its mean",
}


def save(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path = HERE) -> None:
    """Write the model in ``trained`` to the new ``folder`` in MLflow's format."""
    kind = _save_transformer if isinstance(plan, Transformer) and manifest.kind == "text" else _save_module
    if manifest.kind == "language":
        kind = _save_language_model
    if manifest.kind == "seq2seq":
        kind = _save_writer
    if manifest.kind == "instructions":
        kind = _save_responder
    if manifest.target == "transcript":
        kind = _save_transcriber
    kind(trained, folder, plan, manifest, root)


def _save_transformer(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from pipelines.data.split_files import read_split

    parts, task = _parts("AutoModelForSequenceClassification", trained), TaskPlan.read(root / plan_of("task"))
    model = parts["model"]
    several = manifest.labels or manifest.numbers
    names = manifest.classes or several or [str(task.columns.label)]
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: i for i, name in enumerate(names)}
    table = read_split("test", manifest, root / PREPARED).table
    columns = [c for c in ("text", "text_pair") if c in table.column_names]
    texts = {c: table[c][0].as_py() for c in columns}
    mlflow.transformers.save_model(
        parts,
        str(folder),
        task="text-classification",
        signature=ModelSignature(
            Schema([ColSpec("string", c if len(columns) > 1 else None) for c in columns]),
            _answer(len(several)),
        ),
        input_example=texts if len(columns) > 1 else list(texts.values()),
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata=_metadata(manifest),
        # Of several labels or numbers all are answered, not the largest alone.
        model_config={"truncation": True, "max_length": task.max_length} | ({"top_k": None} if several else {}),
    )


def _answer(several: int) -> Schema:
    """Return what a text classifier answers: the likeliest label with its score or, of ``several``, all by their scores."""
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Object, Property

    one = [("label", DataType.string), ("score", DataType.double)]
    if not several:
        return Schema([ColSpec(kind, name) for name, kind in one])
    ranked = Object([Property(name, kind) for name, kind in one])
    return Schema([ColSpec(ranked, str(rank)) for rank in range(several)])


def _save_language_model(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from pipelines.data.split_files import read_split

    parts, block = _parts("AutoModelForCausalLM", trained), manifest.block
    assert block is not None, "the manifest of running text"
    first = read_split("test", manifest, root / PREPARED).table["tokens"][0].as_py()
    mlflow.transformers.save_model(
        parts,
        str(folder),
        task="text-generation",
        signature=ModelSignature(Schema([ColSpec("string")]), Schema([ColSpec("string")])),
        input_example=[parts["tokenizer"].decode(first[: block // 4])],
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata=_known(manifest, "target", "block", "vocabulary") | {"input": INPUT["language"]},
        # Prompt and generated text together fit into the model's context.
        model_config={"max_new_tokens": max(1, block // 2), "do_sample": False},
    )


def _save_writer(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    """Write a model of texts to texts, for which transformers has no pipeline, and so MLflow no flavour of its own."""
    import mlflow

    from components.evaluation.generation import greedy
    from pipelines.data.split_files import read_split

    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(Path(served.__file__).with_name("writer.py")),
        artifacts={"model": str(trained)},
        input_example=[read_split("test", manifest, root / PREPARED).table["source"][0].as_py()],
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata=_known(manifest, "target", "vocabulary") | {"input": INPUT["seq2seq"]},
        model_config={"max_length": manifest.max_length, "generate": greedy(manifest.outputs)},
    )


def _save_responder(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    """Write a model of instructions, which answers conversations as it was judged: its own chat template, no sampling."""
    import json

    import mlflow

    from components.evaluation.generation import response_settings
    from pipelines.data.split_files import read_split

    known = (manifest.end, manifest.pad, manifest.max_length, manifest.max_target_length)
    end, pad, most, written = (value for value in known if value is not None)
    asked = json.loads(read_split("test", manifest, root / PREPARED).table["conversation"][0].as_py())
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(Path(served.__file__).with_name("responder.py")),
        artifacts={"model": str(trained)},
        input_example=[asked],
        pip_requirements=_requirements("mlflow", "torch", "transformers"),
        metadata=_known(manifest, "target", "vocabulary", "template") | {"input": INPUT["instructions"]},
        model_config={"max_length": most, "generate": response_settings(written, [end], pad)},
    )


def _save_transcriber(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    """Write a model of transcripts, whose pipeline of transformers wants more packages than the model does."""
    import mlflow
    import numpy as np

    assert manifest.audio is not None, "the manifest of sounds"
    rate, seconds = manifest.audio.sampling_rate, manifest.audio.seconds
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(Path(served.__file__).with_name("transcriber.py")),
        artifacts={"model": str(trained)},
        # A tone, since a split has features.
        input_example=[np.sin(np.arange(rate) / 9).round(3).tolist()],
        pip_requirements=_requirements("mlflow", "numpy", "torch", "transformers"),
        metadata=_known(manifest, "target", "vocabulary", "audio") | {"input": INPUT["transcript"]},
        model_config={"samples": round(rate * seconds)},
    )


class Parts(TypedDict):
    """A transformers model with its tokenizer, in the form that MLflow expects."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def _parts(kind: str, folder: Path) -> Parts:
    """Return model and tokenizer from the local ``folder``, without network access."""
    import transformers

    from pipelines.sources import pretrained

    pretrained.quiet()
    pretrained.silence()
    model = getattr(transformers, kind).from_pretrained(folder, trust_remote_code=False, use_safetensors=True)
    return {"model": model, "tokenizer": pretrained.tokenizer_in(folder)}


def _save_module(trained: Path, folder: Path, plan: Model, manifest: Manifest, root: Path) -> None:
    import mlflow
    import torch
    from mlflow.models import infer_signature

    from components.tasks.batch import Rows
    from pipelines.data.split_files import read_split
    from pipelines.training import models

    model = models.build(models.without_adapters(plan), manifest)
    models.load_weights(model, trained)
    model.eval()
    examples = read_split("test", manifest, root / PREPARED).examples
    # A graph exported from a batch of one would accept no other batch size.
    index = torch.arange(4) % len(examples)
    given = examples.fetch(Rows.unweighted(index), torch.device("cpu")).inputs["input"]
    with torch.inference_mode():
        output = model(given)
    mlflow.pytorch.save_model(
        model,
        str(folder),
        serialization_format="pt2",
        signature=infer_signature(given.numpy(), output.numpy()),
        input_example=given.numpy(),
        pip_requirements=_requirements("mlflow", "numpy", "torch"),
        metadata=_metadata(manifest) | {"output": OUTPUT[manifest.target]},
    )


def _metadata(manifest: Manifest) -> dict[str, JsonValue]:
    more = ("shape",) if manifest.kind == "audio" else ()
    return {"input": INPUT[manifest.kind]} | _known(manifest, *TO_READ_BY, *more)


def _known(manifest: Manifest, *keys: str) -> dict[str, JsonValue]:
    """Return the manifest's values of ``keys`` that are set."""
    known: dict[str, JsonValue] = manifest.model_dump(mode="json", include=set(keys), exclude_unset=True)
    return known


def _requirements(*packages: str) -> list[str]:
    return [f"{package}=={version(package).split('+')[0]}" for package in packages]
