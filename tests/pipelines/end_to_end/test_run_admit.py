"""The door before the forward pass, end to end: three stages on digits, and what they leave for those who look."""

import pytest
import yaml

from pipelines.core.tables import read_table

pytestmark = pytest.mark.slow
COMPARED = {"full": "none", "multistage": "none", "loss-threshold": "none", "autoassist": "none"}


def test_digits_in_three_stages(compared, copy_of_finished, run_in):
    read = compared("digits", COMPARED)
    counts = {name: read(f"cost/train.{name}.json")["counts"] for name in COMPARED}
    n = counts["full"]["examples"]
    staged, threshold, assisted = (counts[m] for m in ("multistage", "loss-threshold", "autoassist"))
    assert staged["drawn"] == threshold["drawn"] == assisted["drawn"] == 6 * n
    # Stage 0 trains without a look; from then on the threshold alone looks at everything, and the predictor turns some away.
    assert threshold["looked"] + threshold["trained"] - threshold["kept"] == 6 * n
    assert staged["looked"] < threshold["looked"]
    assert (assisted["looked"], assisted["kept"]) == (0, 0)
    assert 0.3 * 6 * n < assisted["trained"] < 6 * n

    events = [e["event"] for r in read("train/multistage/history.json") for e in r["events"]]
    assert [e.split(":")[0] for e in events if e.startswith("stage 2")] == ["stage 2"]
    account = read("account/account.json")["methods"]
    assert account["multistage"]["alpha_fb"] > 0.1
    assert account["loss-threshold"]["alpha_fb"] == 0
    page = (copy_of_finished / "results/compare/report.html").read_text()
    assert "<h2>Events</h2>" in page
    assert "stage 1: stage 0 ended after" in page
    ledger, _ = read_table(copy_of_finished / "results/train/multistage/ledger.parquet")
    assert (ledger["looked"] < ledger["drawn"]).any()
    assert (ledger["trained"] <= ledger["drawn"]).all()

    model = copy_of_finished / "results/train/multistage/model/model.safetensors"
    before = model.read_bytes()
    run_in(copy_of_finished, "dvc", "repro", "--force", "--single-item", "train@multistage")
    assert model.read_bytes() == before


def test_a_window_that_stage_0_cannot_fill_is_one_line(compared, copy_of_finished):
    path = copy_of_finished / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["methods"]["multistage"]["n_0"] = 0.01
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    refused = r"params.yaml: methods.multistage: k must be at most the 0 batches of stage 0 \(n_0: 0.01\), got 8; n_0: 0.18"
    with pytest.raises(AssertionError, match=refused):
        compared("digits", {"full": "none", "multistage": "none"})
    assert not (copy_of_finished / "results/train/multistage/model").exists()
