"""A text task of a tiny BERT, for tests of what a training stage leaves."""

import random

import pytest
import torch

from pipelines import train
from pipelines.core.errors import Stopped
from pipelines.core.signals import STOP
from pipelines.plan import plan
from pipelines.prepare import prepare

TEXTS = ("a fine film, no bore", "dull at all", "good", "no joy a bore, dull film no good at all", "a joy, good all")
SETTINGS = {
    "epochs": 3,
    "batch_size": 4,
    "look_size": 8,
    "threads": 1,
    "optimizer": {"name": "adamw", "learning_rate": 1e-3},
    "schedule": {"name": "linear", "ramp": 0.1, "hold": 2},
}
#: A method that selects nothing, one before loading, and one before the backward pass, with their warm-ups.
COMPARED = {"full": "none", "swiftlearn": "two-epochs", "big-loss": "none"}


def train_with_stops(monkeypatch, examples, stops):
    """Train ``full`` to its end, stopped each time that the class ``examples`` is asked for a batch of that number."""
    fetched, due, original = [0], [], examples.fetch

    def fetch(self, rows, device):
        fetched[0] += 1
        if fetched[0] in due:
            STOP.set()
        return original(self, rows, device)

    monkeypatch.setattr(examples, "fetch", fetch)
    for stop in stops:
        due.append(stop)
        with pytest.raises(Stopped):
            train.train("full")
        STOP.clear()
        torch.rand(random.randrange(1, 9))  # a run that goes on must not depend on it
    train.train("full")


@pytest.fixture
def write_task(write_params, encoder):
    """Plan and prepare a text task of a tiny BERT, whose last layer is trained; return the folder."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)

    def write(keep=True, training=None, validation=None, **model):
        planned = {"family": "transformers", "source": {"from": "folder", "folder": encoder}, "train_layers": 1} | model
        own = {
            "kind": "text",
            "source": {"from": "files", "train": "texts.csv"},
            "test": 8,
            "licence": "none",
            "citation": "none",
        }
        own |= {"columns": {"text": "text", "label": "label"}, "model": planned, "validation": validation}
        own["training"] = SETTINGS | {"keep_frozen": keep} | (training or {})
        folder = write_params({"task": "own", "compare": COMPARED, "tasks": {"own": own}})
        rows = (f'"{TEXTS[i % 5]} {"fine" if i % 3 else "bore"}",{i % 3}' for i in range(40))
        (folder / "texts.csv").write_text("\n".join(["text,label", *rows]))
        plan()
        prepare()
        return folder

    return write
