"""A comparison of two methods on digits, run once by the real stages; and tasks of a test's own, prepared."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml

from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.flows.prefect_server import free_port
from pipelines.plan import plan
from pipelines.prepare import prepare
from pipelines.tracking.client import AWAY
from pipelines.training import models
from tests.conftest import ROOT, defaults

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a fine film no good at all dull bore joy ,".split()  # noqa: SIM905
PASSWORD, DATABASES = "not-for-everyone", ("prefect", "mlflow")
TINY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "book"]
CHANGES = {"task": "digits", "compare": {"full": "none", "swiftlearn": "two-epochs"}}


def _run_in(folder, *command, **more):
    """Run a command in ``folder``, as its user would; fail with what it said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "WINNOW_"))}
    quiet = {"OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**kept, **quiet, "PATH": path, **more}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(autouse=True)
def nothing_said_yet():
    """Let each test hear that the tracker is away, which a process says once."""
    AWAY.clear()


@pytest.fixture(scope="session")
def run_in():
    return _run_in


def _copied(copy, changes):
    """Make a copy of the project in the folder ``copy``, its params.yaml changed, and return it."""
    for name in ("components", "pipelines"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").mkdir()
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "MLproject", "prefect.yaml", "data/README.md"):
        shutil.copy(ROOT / name, copy / name)
    params = defaults()
    (copy / "params.yaml").write_text(yaml.safe_dump(params | changes(params), sort_keys=False))
    _run_in(copy, "git", "init", "--quiet")
    _run_in(copy, "dvc", "init", "--quiet")
    _run_in(copy, "git", "add", "--all")
    _run_in(copy, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "start")
    return copy


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """Return MLflow's database as it is before anything is told; to make one takes MLflow seconds."""
    import mlflow

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory):
    """Return the setting of one database for all flows: to make its tables takes longer than a comparison of digits."""
    return {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


@pytest.fixture(scope="session")
def finished_copy(tmp_path_factory, run_in, new_database):
    """Return a copy of the project where ``dvc repro`` has run, and MLflow has been told nothing; do not change it."""
    copy = _copied(tmp_path_factory.mktemp("finished") / "project", lambda params: CHANGES)
    run_in(copy, "dvc", "repro")
    shutil.copy(new_database, copy / "mlflow.db")
    return copy


@pytest.fixture
def run_alone(tmp_path, run_in, new_database):
    """Run ``dvc repro`` of one task of params.yaml, changed, on everything alone; return the copy of the project."""

    def run(task, **changes):
        def alone(params):
            block = params["tasks"][task]
            block |= {k: v for k, v in changes.items() if k != "training"}
            block["training"] |= changes.get("training", {})
            return {"task": task, "compare": {"full": "none"}}

        copy = _copied(tmp_path / "alone", alone)
        shutil.copy(new_database, copy / "mlflow.db")
        run_in(copy, "dvc", "repro")
        return copy

    return run


@pytest.fixture
def copy_of_finished(finished_copy, tmp_path):
    """Return a fresh copy of the finished project, to do with as a test likes."""
    return Path(shutil.copytree(finished_copy, tmp_path / "copy", symlinks=True))


@pytest.fixture
def no_tracker(copy_of_finished, monkeypatch):
    """Go to a finished comparison of which MLflow has not been told."""
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(copy_of_finished)
    return copy_of_finished


@pytest.fixture
def compared(copy_of_finished, run_in):
    """Run a comparison in a fresh copy of the finished project; return a reader of what it left."""

    def run(task, compare, warm_ups=None, **training):
        path = copy_of_finished / "params.yaml"
        params = yaml.safe_load(path.read_text())
        params |= {"task": task, "compare": compare}
        params["warm_ups"] |= warm_ups or {}
        params["tasks"][task]["training"] |= training
        path.write_text(yaml.safe_dump(params, sort_keys=False))
        run_in(copy_of_finished, "dvc", "repro")
        return lambda name: json.loads((copy_of_finished / "results" / name).read_text())

    return run


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

    def run(source, columns, kind="text", **more):
        model = {"family": "transformers", "source": {"from": "folder", "folder": encoder}}
        task = {"kind": kind, "source": source, "columns": columns, "licence": "none", "citation": "none", **more}
        small = {"image": "mlp", "table": "table-mlp"}
        task.setdefault("model", {"family": "small", "name": small[kind]} if kind in small else model)
        training = {"epochs": 5, "batch_size": 2, "look_size": 4, "threads": 1}
        training |= {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "schedule": {"name": "linear", "ramp": 0.1, "hold": 2}}
        write_params({"task": "own", "tasks": {"own": task | {"training": training}}})
        plan()
        prepare()
        manifest = Manifest.prepared()
        return manifest, read_split("train", manifest), read_split("test", manifest)

    return run


@pytest.fixture
def postgres():
    """Start a PostgreSQL server that asks for a password, with two databases; return addresses of them, without a scheme."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb") or next((str(place / "initdb") for place in reversed(places)), None)
    if initdb is None:
        pytest.fail("no initdb: install the system package 'postgresql', which these tests run the servers on")
    # It refuses to be root, and its user may not enter pytest's folders.
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="winnow-pg-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password") if user else ():
            shutil.chown(path, "postgres", "postgres")
        made = [initdb, "-D", "data", "-U", "winnow", "--auth=scram-sha-256", "--pwfile=password", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, **user)
        command = [str(Path(initdb).parent / "postgres"), "-D", "data", "-k", name, "-p", str(port), "-h", "127.0.0.1", "-F"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
        try:
            address = f"winnow:{PASSWORD}@127.0.0.1:{port}"
            _make_databases(f"postgresql://{address}/postgres", folder / "log")
            yield {database: f"{address}/{database}" for database in DATABASES}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _make_databases(address, log):
    import psycopg2

    deadline = time.monotonic() + 60
    while True:
        try:
            connection = psycopg2.connect(address)
            break
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for database in DATABASES:
            cursor.execute(f"create database {database}")
    connection.close()


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


def _browse(address, folder, *wanted):
    """Run headless Chromium, on nothing but ``address``, and return what it prints."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.fail("no chromium: install the system package 'chromium', which these tests look at pages with")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1600,900"]
    options += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=30000", *wanted, address]
    return subprocess.run([binary, *options], capture_output=True, text=True, check=True, timeout=180, cwd=folder).stdout


@pytest.fixture(scope="session")
def browse():
    return _browse


@pytest.fixture
def answering():
    """A server of HTTP that asks everybody who they are."""

    class Who(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Who) as listening:
        threading.Thread(target=listening.serve_forever).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/api"
        listening.shutdown()


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
