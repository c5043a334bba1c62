"""Small builders that the tests of components share; each is a fixture that gives a function."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from components.engine.learner import Learner
from components.engine.optimizers import build_optimizer
from components.engine.schedules import Schedule
from components.engine.training import Training
from components.evidence.evidence import Evidence
from components.evidence.ledger import Ledger, LogitMemory
from components.run_position import Plan
from components.selection.selector import Selector
from components.tasks.batch import Rows
from components.tasks.image import Images
from components.tasks.sequences import Pairs
from components.tasks.text import Texts
from tests.components.transcribed import make_listener, make_transcribed  # noqa: F401 - fixtures

#: Where ``make_training`` trains: on a GPU by the project's own setting, ``WINNOW_DEVICE=cuda``.
DEVICE = torch.device(os.environ.get("WINNOW_DEVICE", "cpu"))


class Watched(Images):
    """Images that remember the places that were fetched, a batch at a time."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.fetched = []

    def fetch(self, rows, device):
        self.fetched.append(rows.index.tolist())
        return super().fetch(rows, device)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def left_by_ranks(tmp_path_factory):
    """The folder in which two ranks, begun once, have left what the tests called ``as_a_rank`` made."""
    folder, here = tmp_path_factory.mktemp("ranks"), Path(__file__).parent
    environment = {**os.environ, "LEFT_BY_RANKS": str(folder), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    ranks = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2", "-m"]
    asked = [
        "pytest",
        "-q",
        "-x",
        "-k",
        "as_a_rank",
        str(here / "engine/test_distributed.py"),
        str(here / "selection/test_contract_devices.py"),
    ]
    done = subprocess.run(
        [sys.executable, *ranks, *asked], cwd=here.parents[1], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def ranks():
    """The two ranks, for a test that is one of them."""
    from components.engine.distributed import Group

    group = Group(torch.device("cpu"), 60)
    yield group
    group.wait()
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="session")
def make_images():
    """Images that can be learnt: each class is brighter in a row of its own."""

    def build(n=60, classes=4, size=4, channels=1, seed=0):
        rng = np.random.default_rng(seed)
        target = rng.integers(0, classes, n)
        pixels = rng.integers(0, 200, (n, channels, size, size), dtype=np.uint8)
        pixels[np.arange(n), 0, target % size] += 55
        return Watched(pixels, target, classes, 100.0, 60.0)

    return build


@pytest.fixture(scope="session")
def make_texts():
    """Texts of 1 to 9 tokens out of 29; token 0 pads."""

    def build(n=40, classes=3, seed=0):
        rng = np.random.default_rng(seed)
        lengths = rng.integers(1, 10, n)
        tokens = rng.integers(1, 30, lengths.sum()).astype(np.int32)
        return Texts(tokens, np.concatenate([[0], np.cumsum(lengths)]), rng.integers(0, classes, n), classes, 0)

    return build


@pytest.fixture(scope="session")
def make_pairs():
    """Sources of 1 to 6 tokens out of 17, each to be copied from its first token on as far as the third; 0 pads, 1 ends."""

    def build(n=60, seed=0):
        rng = np.random.default_rng(seed)
        sources = [rng.integers(2, 19, rng.integers(1, 7)).tolist() for _ in range(n)]
        examples = [[*source, 1, *source[:3], 1] for source in sources]
        ends = np.concatenate([[0], np.cumsum([len(each) for each in examples])])
        second = np.array([len(source) + 1 for source in sources], np.int32)
        return Pairs(np.concatenate(examples).astype(np.int32), ends, second, 5, 0, 0)

    return build


@pytest.fixture(scope="session")
def make_t5():
    """A tiny T5, untrained."""

    def build(seed=0, dropout=0.1):
        from transformers import T5Config, T5ForConditionalGeneration

        torch.manual_seed(seed)
        sizes = {"vocab_size": 19, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
        tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "use_cache": False}
        return T5ForConditionalGeneration(T5Config(dropout_rate=dropout, **sizes, **tokens))

    return build


@pytest.fixture(scope="session")
def make_mlp():
    """A perceptron whose dropout draws from torch's global stream."""

    def build(seed=0, dropout=0.3, inputs=16, classes=4):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 12), nn.ReLU(), nn.Dropout(dropout), nn.Linear(12, classes))

    return build


@pytest.fixture(scope="session")
def make_bert():
    """A tiny BERT classifier, untrained."""

    def build(seed=0, classes=3, layers=2):
        from transformers import BertConfig, BertForSequenceClassification

        torch.manual_seed(seed)
        sizes = {"vocab_size": 30, "hidden_size": 32, "intermediate_size": 48, "max_position_embeddings": 16}
        return BertForSequenceClassification(
            BertConfig(num_hidden_layers=layers, num_attention_heads=2, num_labels=classes, **sizes)
        )

    return build


@pytest.fixture(scope="session")
def make_ledger():
    """An empty ledger, or one whose named columns hold what is given."""

    def build(n=60, classes=4, looks_only=False, device=None, target=None, **columns):
        memory = LogitMemory(torch.zeros(n, classes, device=device), classes)
        ledger = Ledger(n, memory, looks_only=looks_only, target=target)
        for name, values in columns.items():
            ledger.columns[name].copy_(torch.as_tensor(values))
        return ledger

    return build


@pytest.fixture(scope="session")
def make_training(make_images, make_mlp, make_ledger):
    """A run over small images, ready to begin, whose learning rate follows a schedule over the method's own length."""

    def build(selector=None, examples=None, model=None, *, epochs=2, batch_size=8, look_size=16, seed=0, **options):
        selector, examples = selector or Selector(), examples or make_images()
        first, looks_only = options.pop("first", 0), options.pop("looks_only", False)
        refill, look_batch = options.pop("refill", True), options.pop("look_batch", look_size)
        constant, precision = options.pop("constant", False), options.pop("precision", "fp32")
        device = options.pop("device", DEVICE)
        model = (model or make_mlp(seed, dropout=options.pop("dropout", 0.3))).to(device)
        length = selector.length(epochs)
        schedule = Schedule("constant" if constant else "linear", 0.0 if constant else 0.5, 2.0, length)
        optimizer = build_optimizer(model, "sgd", 0.1, momentum=0.9)
        learner = options.pop("learner", Learner)(model, optimizer, schedule, precision=precision)
        classes = learner.objective.classes
        ledger = make_ledger(len(examples), examples.outputs, looks_only, device, examples.target if classes else None)
        plan = Plan(epochs, batch_size, look_size, look_batch, seed, first, refill)
        augmentation = options.pop("augmentation", None)
        augmented = None if augmentation is None else partial(examples.augmented, augmentation)
        return Training(learner, examples, selector, ledger, plan, augmented)

    return build


@pytest.fixture(scope="session")
def make_evidence():
    """The evidence of a pass over the places ``index`` that gave ``logits``."""

    def build(index, logits, target, looked=False):
        logits = torch.as_tensor(np.asarray(logits), dtype=torch.float32)
        target = torch.as_tensor(target)
        loss = nn.functional.cross_entropy(logits, target, reduction="none")
        return Evidence(torch.as_tensor(index), target, loss, logits, looked)

    return build


@pytest.fixture(scope="session")
def make_rows():
    """Rows of the places ``index``, each weighing 1 or what is given."""

    def build(index, weight=None):
        index = torch.as_tensor(list(index), dtype=torch.int64)
        return Rows(index, torch.ones(len(index)) if weight is None else torch.as_tensor(weight, dtype=torch.float32))

    return build
