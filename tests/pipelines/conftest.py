"""Tasks of a test's own, prepared, and what all tests of stages share."""

import signal

import pytest
import torch

from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts, signals
from pipelines.core.artifacts import result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking.client import AWAY
from pipelines.training import models
from tests.pipelines.project_copies import (  # noqa: F401 - fixtures
    compared,
    copy_of_finished,
    finished_copy,
    new_database,
    no_tracker,
    prefect_home,
    run_alone,
    run_in,
)
from tests.pipelines.real_services import answering, browse, postgres  # noqa: F401 - fixtures

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a fine film no good at all dull bore joy ,".split()  # noqa: SIM905
TINY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "book"]


@pytest.fixture(autouse=True)
def nothing_said_yet():
    """Let each test hear that the tracker is away, which a process says once."""
    AWAY.clear()


@pytest.fixture
def signal_handlers():
    """Put back the handlers of signals, and the flag that they set."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signals.STOP.clear()


@pytest.fixture(scope="session")
def vocabulary():
    return WORDS


@pytest.fixture
def encoder(tmp_path):
    """A folder that looks like a saved transformers model: a config and a tokenizer of sixteen words."""
    from transformers import BertConfig, BertTokenizerFast

    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def torch_as_it_was():
    """Put back what a run sets for the whole process."""
    mode, fill = torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory
    threads = torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.set_num_threads(threads)


@pytest.fixture
def prepared(write_params, encoder):
    """Plan and prepare a task of its own; return its manifest and splits."""

    def run(source, columns, kind="text", training=None, **more):
        model = {"family": "transformers", "source": {"from": "folder", "folder": encoder}}
        task = {"kind": kind, "source": source, "columns": columns, "licence": "none", "citation": "none", **more}
        small = {"image": "mlp", "table": "table-mlp", "audio": "mel-cnn"}
        task.setdefault("model", {"family": "small", "name": small[kind]} if kind in small else model)
        own, training = training or {}, {"epochs": 5, "batch_size": 2, "look_size": 4, "threads": 1}
        training |= {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "schedule": {"name": "linear", "ramp": 0.1, "hold": 2}}
        write_params({"task": "own", "tasks": {"own": task | {"training": training | own}}})
        plan()
        prepare()
        manifest = Manifest.prepared()
        return manifest, read_split("train", manifest), read_split("test", manifest)

    return run


@pytest.fixture(params=["class", "number"])
def text_results(request, write_params, tmp_path):
    """Write the plan, the data and an untrained model of a task of texts, and go there."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    base = tmp_path / "tiny"
    base.mkdir()
    (base / "vocab.txt").write_text("\n".join(TINY))
    BertTokenizerFast(str(base / "vocab.txt")).save_pretrained(base)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(TINY), **sizes)).save_pretrained(base)
    good, bad = ("yes", "no") if request.param == "class" else (4.5, 1.5)
    rows = ["text,label", *(f"good film,{good}" if i % 2 else f"bad book,{bad}" for i in range(20))]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    task = {"kind": "text", "source": {"from": "files", "train": str(tmp_path / "rows.csv")}, "test": 4, "max_length": 8}
    task |= {"columns": {"text": "text", "label": "label"}, "licence": "MIT", "citation": "none", "predicts": request.param}
    write_params(
        {
            "task": "movie-reviews",
            "tasks.movie-reviews.binarize": None,
            "tasks.movie-reviews.model": {"family": "transformers", "source": {"from": "folder", "folder": str(base)}},
            **{f"tasks.movie-reviews.{k}": v for k, v in task.items()},
        }
    )
    plan()
    prepare()
    model, manifest = TrainingPlan.read(artifacts.plan_of("training")).model, Manifest.prepared()
    built = models.build(model, manifest)
    artifacts.write_folder(result("train", "full", "model"), lambda folder: models.save(built, folder, model))
    return built.eval(), model, manifest


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Keep what is read of the hub in this test's own folder, silently."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def log_models(text_results):
    """Log the models of methods that have run, in one publish, each to a run of its own."""
    _, plan, manifest = text_results

    def run(*names):
        from pipelines.tracking.client import with_tracker
        from pipelines.tracking.models import models_of

        def work(tracker):
            with models_of(plan, manifest) as each:
                return [each.log(tracker, tracker.create(n, {"method": n}).info.run_id, n, {}, {}) for n in names]

        assert with_tracker(work)

    return run


@pytest.fixture
def saved(tmp_path):
    """Save an untrained model and its tokenizer into a folder, as from_pretrained takes them; return its source."""

    def save(build):
        torch.manual_seed(0)
        model, tokenizer = build()
        for part in (model, tokenizer):
            part.save_pretrained(tmp_path / "encoder")
        return {"from": "folder", "folder": str(tmp_path / "encoder")}

    return save
