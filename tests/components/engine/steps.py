"""Learners and batches for tests of single steps and looks."""

import torch

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.tasks.batch import Batch


def learner_of(model, name="sgd", rate=1.0, **options):
    return Learner(model, build_optimizer(model, name, rate), lambda epoch: 1.0, **options)


def batch_of(make_rows, inputs, target, weight=None, index=None):
    rows = make_rows(range(len(target)) if index is None else index, weight)
    return Batch(rows, {"input": inputs}, torch.as_tensor(target), rows.weight)
