"""Predictions of a model for a split, as its metrics read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from components.evaluation.metrics import Columns, in_unit, predict
from components.evaluation.several_numbers import in_units
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import Split
from pipelines.training.builders import look_batch

if TYPE_CHECKING:
    from components.engine.learner import Learner


def predicted(learner: Learner, split: Split, plan: TrainingPlan, manifest: Manifest, root: Path) -> Columns:
    """Return the columns of ``components.evaluation.metrics.predict``, numbers in the label's unit, and texts written or heard.

    Args:
        learner: with the model.
        split: to predict.
        plan: of the training.
        manifest: of the prepared data.
        root: the folder of the run, with any tokenizer trained on the data.
    """
    found = predict(learner, split.examples, look_batch(plan.training, learner.device), manifest.target)
    if manifest.target == "sequence":
        if manifest.kind == "instructions":
            return found | _responses(learner, split, plan, manifest, root)
        return found | _written(learner, split, plan, root)
    if manifest.target == "transcript":
        return found | _transcribed(learner, split, plan, manifest, root)
    if manifest.label_scales:
        return in_units(found, {scale.name: (scale.mean, scale.deviation) for scale in manifest.label_scales})
    scale = manifest.label_scale
    return in_unit(found, scale.mean, scale.deviation) if scale else found


def _written(learner: Learner, split: Split, plan: TrainingPlan, root: Path) -> Columns:
    """Return columns on what the model writes for each source of ``split``."""
    from components.evaluation.generation import generate
    from components.evaluation.text_scores import compared
    from components.tasks.sequences import Pairs
    from pipelines.training.models.sequence_models import tokenizer_of

    assert isinstance(split.examples, Pairs)
    ids = generate(learner, split.examples, look_batch(plan.training, learner.device))
    texts = tokenizer_of(plan.model, root / artifacts.TOKENIZER).batch_decode(ids, skip_special_tokens=True)
    return compared(texts, split.table["reference"].to_pylist())


def _responses(learner: Learner, split: Split, plan: TrainingPlan, manifest: Manifest, root: Path) -> Columns:
    """Return columns on what the model answers to the messages before each last response of ``split``."""
    from components.evaluation.generation import respond, response_settings
    from components.evaluation.text_scores import compared
    from pipelines.training.models.sequence_models import tokenizer_of

    tokenizer = tokenizer_of(plan.model, root / artifacts.TOKENIZER)
    assert manifest.max_target_length is not None, "the manifest of instructions"
    assert manifest.end is not None
    assert manifest.pad is not None
    asked = list(map(json.loads, split.table["conversation"].to_pylist()))
    prompted = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    prompts = tokenizer(prompted, add_special_tokens=False)["input_ids"]
    settings = response_settings(manifest.max_target_length, [manifest.end], manifest.pad)
    ids = respond(learner, prompts, look_batch(plan.training, learner.device), manifest.pad, settings)
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return compared([text.strip() for text in texts], split.table["reference"].to_pylist())


def _transcribed(learner: Learner, split: Split, plan: TrainingPlan, manifest: Manifest, root: Path) -> Columns:
    """Return columns on what the model hears in each sound of ``split``."""
    from components.evaluation.transcript_errors import counted
    from components.evaluation.transcription import transcribe
    from components.tasks.sound import Transcribed
    from pipelines.training.models.speech_models import tokenizer_of

    assert isinstance(split.examples, Transcribed)
    assert manifest.pad is not None, "the manifest of transcripts"
    heard = transcribe(learner, split.examples, look_batch(plan.training, learner.device), manifest.pad)
    tokenizer = tokenizer_of(plan.model, root / artifacts.TOKENIZER)
    texts = [tokenizer.decode(tokens, skip_special_tokens=True, group_tokens=False) if tokens else "" for tokens in heard]
    return counted(texts, split.table["reference"].to_pylist())
