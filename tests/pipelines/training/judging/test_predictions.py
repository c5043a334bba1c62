"""What a model predicts of a split: texts are written, numbers are in the label's unit."""

import numpy as np
import pytest
import torch

from components.evaluation.metrics import metrics
from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import plan_of
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.training import builders
from pipelines.training.judging.predictions import predicted
from tests.pipelines import talks as conversations
from tests.pipelines.summaries import SEQ2SEQ, written
from tests.pipelines.talks import TALKS
from tests.pipelines.training.conftest import SETTINGS

COMMON = {"licence": "none", "citation": "none", "validation": 0.25, "training": SETTINGS | {"evaluate_every": 1}}


@pytest.fixture
def predict(write_params, torch_as_it_was, monkeypatch):
    """Plan and prepare a task, and return what its untrained model predicts of the validation split, and the split."""
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")

    def run(task):
        write_params({"task": "own", "compare": {"full": "none"}, "tasks": {"own": COMMON | task}})
        plan()
        prepare()
        planned, manifest = TrainingPlan.read(plan_of("training")), Manifest.prepared()
        learner = builders.learner_of(planned, manifest, torch.device("cpu"), 1)
        split = read_split("validation", manifest)
        return predicted(learner, split, planned, manifest, artifacts.HERE), split, manifest

    return run


def test_a_text_is_written_for_each_source_and_judged(predict, tmp_path):
    columns, split, manifest = predict({**SEQ2SEQ, "source": written(tmp_path)})
    assert len(columns["generated"]) == len(split.ids) == manifest.counts.validation
    assert columns["generated"].dtype.kind == "U"
    assert next(iter(metrics(columns, "sequence"))) == manifest.metric == "chrf"


def test_a_response_is_written_for_each_conversation_and_judged(predict, tmp_path):
    columns, split, manifest = predict({**TALKS, "source": conversations.written(tmp_path, conversations.talks())})
    assert len(columns["generated"]) == len(split.ids) == manifest.counts.validation
    assert columns["tokens"].tolist() == split.examples.written()[1].tolist()
    assert next(iter(metrics(columns, "sequence"))) == manifest.metric == "chrf"


def test_numbers_are_in_the_unit_of_the_label(predict, tmp_path):
    rows = [f"{i % 7},{3 * (i % 7) + 100}" for i in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["x,y", *rows]))
    numbers = {"kind": "table", "predicts": "number", "source": {"from": "files", "train": "own.csv"}, "test": 8}
    numbers |= {"columns": {"numbers": ["x"], "label": "y"}, "model": {"family": "small", "name": "table-mlp"}}
    numbers["training"] = COMMON["training"] | {"optimizer": {"name": "sgd", "learning_rate": 0.1}}
    columns, _, manifest = predict(numbers)
    labels = {3 * i + 100 for i in range(7)}
    assert set(np.round(columns["target"], 3)) <= labels
    assert abs(columns["predicted"].mean() - manifest.label_scale.mean) < 3 * manifest.label_scale.deviation
