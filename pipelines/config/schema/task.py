"""A task of params.yaml, its keys checked against each other."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from pipelines.config.schema.augment import padding_error
from pipelines.config.schema.idle_keys import idle, misfit, validation_error
from pipelines.config.schema.model import Small, Timm, Transformer
from pipelines.config.schema.source import FromFolder, FromPackage
from pipelines.config.schema.task_fields import OWN_TARGETS, TaskKeys

#: By kind of data: required columns (at least one of them), optional columns; and the sources that have such data.
INPUTS: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"text"}, {"text_pair"}),
    "image": ({"image"}, set()),
    "table": ({"numbers", "categories", "dates"}, set()),
    "language": ({"text"}, set()),
    "seq2seq": ({"source", "target"}, set()),
    "instructions": ({"prompt", "response", "messages"}, set()),
    "audio": ({"audio"}, set()),
}
SOURCES = {
    "text": ("hub", "files", "package"),
    "image": ("hub", "folder", "idx", "scikit-learn"),
    "table": ("hub", "files", "package"),
    "language": ("hub", "files", "folder", "package"),
    "seq2seq": ("hub", "files", "package"),
    "instructions": ("hub", "files", "package"),
    "audio": ("hub", "files", "folder"),
}
#: The only sets of columns of a pair of texts, and of instructions.
PAIR: tuple[set[str], ...] = ({"source", "target"},)
TALK: tuple[set[str], ...] = ({"prompt", "response"}, {"messages"})
#: The sources that are tables, whose columns must be named.
TABULAR = ("hub", "files", "package")
#: The keys of a source that are for documents alone.
DOCUMENTS = {"files", "tagged"}
#: Model families whose blocks can be computed again in the backward pass: transformers' own.
RECOMPUTED = ("transformers", "gpt", "t5", "untrained")
#: By kind of data: model families, and the small models by name.
MODELS: dict[str, tuple[str, ...]] = {
    "text": ("transformers",),
    "image": ("transformers", "timm", "torchvision", "small"),
    "table": ("small",),
    "language": ("transformers", "gpt"),
    "seq2seq": ("transformers", "t5"),
    "instructions": ("transformers", "gpt"),
    "audio": ("transformers", "untrained", "small"),
}
#: Of sounds with transcripts: required columns, and the model families.
TRANSCRIBED, TRANSCRIBERS = {"audio", "transcript"}, ("transformers", "untrained")
SMALL: dict[str, tuple[str, ...]] = {"image": ("cnn", "lenet", "mlp"), "table": ("table-mlp",), "audio": ("mel-cnn",)}


class Task(TaskKeys):
    """A task: its data, target, model and training, checked against each other."""

    @model_validator(mode="before")
    @classmethod
    def _adapters_of_instructions(cls, value: object) -> object:
        """Give a pretrained model of instructions adapters, unless its block says something of ``lora``, if only null."""
        if not isinstance(value, Mapping) or value.get("kind") != "instructions":
            return value
        model = value.get("model")
        if not isinstance(model, Mapping) or model.get("family") != "transformers" or "lora" in model:
            return value
        return {**value, "model": {**model, "lora": {}}}

    @model_validator(mode="after")
    def _source_fits_kind(self) -> Task:
        if (source := self.source.source) not in (fit := SOURCES[self.kind]):
            raise ValueError(f"source.from: {source!r} has no data of kind {self.kind!r}; one that works: {', '.join(fit)}")
        documents = self.kind == "language" and (source == "folder" or (source == "package" and not list(self.columns.named())))
        if isinstance(self.source, FromFolder | FromPackage) and not documents and self.source.model_fields_set & DOCUMENTS:
            raise ValueError("source.files, source.tagged: are for documents: kind 'language', and no columns")
        if (source in TABULAR and not documents) or self.predicts == "transcript":
            self._check_columns(set(self.columns.model_dump()))
        for key, size in (("test", self.test), ("limit", self.limit)):
            if size is not None and not (size >= 1 if isinstance(size, int) else 0 < size < 1):
                raise ValueError(f"{key}: must be a number of rows, 1 or more, or a fraction in (0, 1), got {size!r}")
        return self

    @model_validator(mode="after")
    def _keys_do_something(self) -> Task:
        if message := idle(self):
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _padding_is_smaller_than_an_image(self) -> Task:
        if self.image_size and (message := padding_error(self.training.augment, self.image_size)):
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _empty_texts_alone(self) -> Task:
        own = self.kind in ("seq2seq", "instructions") or self.predicts == "transcript"
        if self.drop_empty and not own and (self.kind not in ("text", "language") or not self.columns.text):
            raise ValueError(
                "drop_empty: is for kind 'text' or 'language' with a column 'text', 'seq2seq' or 'instructions'; leave it out"
            )
        return self

    def _check_columns(self, named: set[str]) -> None:
        wanted, more = INPUTS[self.kind]
        if self.predicts == "transcript" and self.kind == "audio":
            if not TRANSCRIBED <= named <= TRANSCRIBED | {"group"}:
                got = ", ".join(sorted(named)) or "none"
                raise ValueError(f"columns: must name 'audio' and 'transcript', and may name 'group' beside them, got {got}")
            return
        label = set() if self.kind in OWN_TARGETS else {"label"}
        more = more | (set() if self.kind in OWN_TARGETS else {"group"})
        more = more | ({"domain"} if self.target is not None and self.target.domain is not None else set())
        if self.kind in (exact := {"seq2seq": PAIR, "instructions": TALK}) and named not in exact[self.kind]:
            got, ways = ", ".join(sorted(named)) or "none", " or ".join(listed(way, " and ") for way in exact[self.kind])
            raise ValueError(f"columns: a task of kind {self.kind!r} names {ways}, and no other, got {got}")
        if not (wanted & named and label <= named <= wanted | more | label):
            also = " and 'label'" if label else " alone"
            raise ValueError(f"columns: must name {listed(wanted)}{also}, got {', '.join(sorted(named)) or 'none'}")

    @model_validator(mode="after")
    def _model_fits_kind(self) -> Task:
        fit = TRANSCRIBERS if self.predicts == "transcript" else MODELS[self.kind]
        if self.model.family not in fit:
            what = "with predicts: transcript" if self.predicts == "transcript" else f"of kind {self.kind!r}"
            raise ValueError(f"model.family: a task {what} takes {listed(fit)}, got {self.model.family!r}")
        if isinstance(self.model, Small) and self.model.name not in SMALL[self.kind]:
            names = listed(SMALL[self.kind])
            raise ValueError(f"model.name: a task of kind {self.kind!r} takes {names}, got {self.model.name!r}")
        if self.kind == "seq2seq" and isinstance(self.model, Transformer):
            for key in ("num_hidden_layers", "train_layers"):
                if getattr(self.model, key) is not None:
                    raise ValueError(f"model.{key}: is for models of one stack of layers, and 'seq2seq' has two; leave it out")
        return self

    @model_validator(mode="after")
    def _blocks_are_transformers(self) -> Task:
        if self.training.checkpoint_activations and self.model.family not in RECOMPUTED:
            raise ValueError(
                f"training.checkpoint_activations: is for models of family {listed(RECOMPUTED)}, got {self.model.family!r}; "
                "the nearest that works is false"
            )
        return self

    @model_validator(mode="after")
    def _something_is_frozen(self) -> Task:
        layers = self.model.train_layers if isinstance(self.model, Transformer | Timm) else None
        kept = (self.kind == "text" and layers is not None) or (self.kind == "image" and layers == 0)
        if self.training.keep_frozen and not kept:
            lacking = {"text": "whose model has no train_layers", "image": f"of kind 'image' with train_layers {layers}"}
            raise ValueError(
                "training.keep_frozen: must be false except for a task of kind 'text' whose model has train_layers, or of kind "
                f"'image' whose model has train_layers 0, got true for one {lacking.get(self.kind, f'of kind {self.kind!r}')}; "
                "the nearest that works is false"
            )
        return self

    @model_validator(mode="after")
    def _keys_fit_target(self) -> Task:
        own = self.kind in OWN_TARGETS
        if self.predicts == "transcript" and self.kind != "audio":
            nearest = "kind: audio" if not own else "leave predicts out"
            raise ValueError(f"predicts: 'transcript' is for a task of kind 'audio', got {self.kind!r}; {nearest}")
        if own and self.predicts != "class":
            what = "its own tokens" if self.kind == "language" else "a text"
            raise ValueError(f"predicts: a task of kind {self.kind!r} predicts {what}, got {self.predicts!r}; leave it out")
        learnt = f"is of kind {self.kind!r}" if own else f"has predicts: {self.predicts}"
        if message := misfit(self):
            raise ValueError(message)
        for key in ("binarize", "label_noise", "long_tail", "metric", "empty_classes"):
            transcribed = self.predicts == "transcript" and key != "metric"
            if getattr(self, key) not in (None, "refuse") and (own or transcribed or self.regression):
                raise ValueError(f"{key}: is for classes, and this task {learnt}; leave one of the two out")
        return self

    @model_validator(mode="after")
    def _loss_fits_target(self) -> Task:
        for key in ("class_weights", "label_smoothing"):
            if getattr(self.training, key) and not self.classifies:
                learnt = f"is of kind {self.kind!r}" if self.kind in OWN_TARGETS else f"has predicts: {self.predicts}"
                raise ValueError(f"training.{key}: is for one class an example, and this task {learnt}; leave it out")
        return self

    @model_validator(mode="after")
    def _target_set_can_be_had(self) -> Task:
        if self.target is None:
            return self
        if self.kind not in ("text", "table") or self.source.source not in TABULAR:
            raise ValueError("target: is for texts or tables from files, package or hub; leave it out")
        if self.target.domain is not None and self.columns.domain is None:
            raise ValueError("target.domain: is a value of the column columns.domain, which is not set; name that column")
        return self

    @model_validator(mode="after")
    def _groups_can_be_kept(self) -> Task:
        if self.columns.group is not None and self.target is not None:
            raise ValueError(
                "columns.group: keeps groups in one split, and a target set divides the rows in its own way; "
                "leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _stream_is_seen_once(self) -> Task:
        if self.stream and self.training.epochs != 1:
            raise ValueError(
                "training.epochs: must be 1 for a task with 'stream: true', which trains on each example at most once, got "
                f"{self.training.epochs}; the nearest that works is 1"
            )
        return self

    @model_validator(mode="after")
    def _something_validates(self) -> Task:
        if message := validation_error(self):
            raise ValueError(message)
        if self.time_to is not None and self.training.evaluate_every is None:
            raise ValueError(
                f"time_to: {self.time_to:g} needs evaluations while training, and there are none; set validation and "
                "training.evaluate_every: 1, or leave time_to out"
            )
        return self

    @model_validator(mode="after")
    def _near_copies_can_be_made(self) -> Task:
        near = self.duplicates is not None and self.duplicates.near
        without = (*OWN_TARGETS, "audio")
        if near and (self.kind in without or (self.kind == "table" and not self.columns.numbers)):
            lacking = f"of kind {self.kind!r}" if self.kind in without else "whose columns name no numbers"
            raise ValueError(
                "duplicates.near: changes words, pixels or numbers a little, and must be false for a task "
                f"{lacking}, got true; the nearest that works is false"
            )
        return self


def listed(names: tuple[str, ...] | set[str], between: str = " or ") -> str:
    """Return ``names`` as alternatives, or with another word ``between`` them."""
    return between.join(repr(name) for name in sorted(names))
