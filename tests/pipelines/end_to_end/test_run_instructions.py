"""What Debian's packages do, end to end: from a file of messages to a model that the command of MLflow asks."""

import json
import re

import mlflow
import pytest
from sacrebleu.metrics.chrf import CHRF

from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.tracking import comparison as tracking
from tests.pipelines.end_to_end.test_run_sequences import STATUS
from tests.pipelines.talks import message
from tests.pipelines.tracking.test_serving import predicted

pytestmark = pytest.mark.slow

PACKAGE = re.compile(r"^Package: (.+)\n(?:.+\n)*?Description: (.+)\n", re.MULTILINE)


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """Conversations on this Debian machine's packages, two of them in each."""
    found = PACKAGE.findall(STATUS.read_text(encoding="utf-8"))
    assert len(found) >= 200, "of the packages that the tests need, and of those that they need"
    path = tmp_path_factory.mktemp("debian") / "questions.jsonl"
    turns = [[message("user", f"What does {name} do?"), message("assistant", line)] for name, line in found]
    talks = [[*a, *b] for a, b in zip(turns[::2], turns[1::2], strict=False)]
    path.write_text("\n".join(json.dumps({"messages": talk}) for talk in talks), encoding="utf-8")
    return path


def test_debians_packages_to_a_served_model(run_alone, questions, monkeypatch, tmp_path):
    source = {"from": "files", "train": str(questions)}
    model = {"family": "gpt", "layers": 1, "width": 32, "heads": 2}
    small = {"limit": 80, "test": 12, "vocabulary": 400, "max_length": 96, "max_target_length": 8, "model": model}
    copy = run_alone("debian-questions", source=source, columns={"messages": "messages"}, **small, training={"epochs": 3})
    monkeypatch.chdir(copy)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy / 'mlflow.db'}")
    assert tracking.publish() is not None
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.counts.dumped() == {"train": 80, "test": 12}
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    names = ("chrf", "bleu", "exact_match", "perplexity")
    assert {k: row[k] for k in names} == {k: found[k] for k in names}
    split = read_split("test", manifest)
    told, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    references = split.table["reference"].to_pylist()
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(told["generated"].tolist(), [references]).score / 100)
    client = mlflow.MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
    (logged,) = client.search_logged_models([client.get_experiment_by_name("winnow").experiment_id])
    assert client.get_run(logged.source_run_id).data.metrics["test_chrf"] == pytest.approx(found["chrf"])
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"inputs": [json.loads(one) for one in split.table["conversation"].to_pylist()]}))
    folder = logged.artifact_location.removeprefix("file://")
    assert predicted(folder, given, tmp_path) == told["generated"].tolist()
