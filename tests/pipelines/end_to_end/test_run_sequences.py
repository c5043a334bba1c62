"""Debian's descriptions to their lines, end to end: from a file to a model that MLflow serves."""

import re
from pathlib import Path

import mlflow
import pytest
from sacrebleu.metrics.chrf import CHRF

from pipelines.core import artifacts, tables
from pipelines.core.artifacts import read_json, result
from pipelines.data.manifest import Manifest
from pipelines.data.split_files import read_split
from pipelines.tracking import comparison as tracking

pytestmark = pytest.mark.slow

#: What dpkg knows of the packages that are installed, their long descriptions among it.
STATUS = Path("/var/lib/dpkg/status")
DESCRIPTION = re.compile(r"^Description: (.+)\n((?: .*\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def descriptions(tmp_path_factory):
    """The long and short descriptions of this Debian machine's packages, as the task's own file has them."""
    found = DESCRIPTION.findall(STATUS.read_text(encoding="utf-8"))
    rows = {" ".join(long.replace("\n .\n", "\n").split()): short for short, long in found}
    assert len(rows) >= 200, "of the packages that the tests need, and of those that they need"
    path = tmp_path_factory.mktemp("debian") / "summaries.tsv"
    lines = ["long\tshort", *(f"{long}\t{short}" for long, short in rows.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_debians_descriptions_to_a_served_model(run_alone, descriptions, monkeypatch):
    source = {"from": "files", "train": str(descriptions)}
    model = {"family": "t5", "layers": 1, "width": 32, "heads": 2}
    small = {"limit": 150, "test": 20, "vocabulary": 400, "max_target_length": 12, "model": model}
    copy = run_alone("debian-summaries", source=source, **small, training={"epochs": 3})
    monkeypatch.chdir(copy)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy / 'mlflow.db'}")
    assert tracking.publish() is not None
    manifest, found = Manifest.prepared(), read_json(result("evaluate", "full", "metrics.json"))
    assert manifest.counts.dumped() == {"train": 150, "test": 20}
    assert manifest.truncated.total > 0
    row = read_json(artifacts.COMPARISON / "comparison.json")["rows"][0]
    assert {k: row[k] for k in ("chrf", "bleu", "exact_match", "perplexity")} == {
        k: found[k] for k in ("chrf", "bleu", "exact_match", "perplexity")
    }
    split = read_split("test", manifest)
    told, _ = tables.read_table(result("evaluate", "full", "predictions.parquet"))
    references = split.table["reference"].to_pylist()
    assert found["chrf"] == pytest.approx(CHRF().corpus_score(told["generated"].tolist(), [references]).score / 100)
    client = mlflow.MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
    (logged,) = client.search_logged_models([client.get_experiment_by_name("winnow").experiment_id])
    assert client.get_run(logged.source_run_id).data.metrics["test_chrf"] == pytest.approx(found["chrf"])
    served = mlflow.pyfunc.load_model(logged.artifact_location.removeprefix("file://"))
    assert served.predict(split.table["source"].to_pylist()) == told["generated"].tolist()
