"""Selection via Proxy, end to end: a smaller perceptron ranks the digits, and is charged by its own seconds and passes."""

import numpy as np
import pytest

from pipelines.artifacts import read_table

pytestmark = pytest.mark.slow
PROXY = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp", "options": {"hidden": 32}}, "share": 0.5}}
#: The methods, each with the column that it ranks by, if it is one.
BY = {
    "selection-via-proxy": "least_confidence",
    "selection-via-proxy-forgetting": "forgetting",
    "selection-via-proxy-centres": None,
}
COMPARED = {"full": "none", **dict.fromkeys(BY, "proxy")}


def test_digits_ranked_by_a_smaller_model(compared, copy_of_finished, run_in):
    results, read = copy_of_finished / "results", compared("digits", COMPARED, {"proxy": PROXY})
    n = read("cost/train.full.json")["counts"]["examples"]
    _check_selected(results, n)
    _check_charged(read, n)
    rows = {r["method"]: r for r in read("compare/comparison.json")["rows"]}
    assert min(r["accuracy"] for r in rows.values()) > 0.9

    files = [results / "warm_up/proxy/scores.parquet", results / "warm_up/proxy/state.safetensors"]
    before = [f.read_bytes() for f in files]
    run_in(copy_of_finished, "dvc", "repro", "--force", "--single-item", "warm_up@proxy")
    assert [f.read_bytes() for f in files] == before


def _check_selected(results, n):
    """Half of the examples are trained on, six times each, and none that was left out has a higher score."""
    scores, _ = read_table(results / "warm_up/proxy/scores.parquet")
    assert scores["features"].shape == (n, 32)
    assert (scores["seen"] == 3).all()
    for name in BY:
        chosen, _ = read_table(results / f"subset/{name}/subset.parquet")
        ledger, _ = read_table(results / f"train/{name}/ledger.parquet")
        kept = np.isin(scores["id"], chosen["id"])
        assert kept.sum() == round(n / 2)
        assert (ledger["trained"] == 6 * kept).all()
        if column := BY[name]:
            assert scores[column][kept].min() >= scores[column][~kept].max()


def _check_charged(read, n):
    """The proxy's passes are counted by its own unit, its seconds measured, and its cost planned by its share."""
    warmed, account = read("cost/warm_up.proxy.json"), read("account/account.json")
    assert {k: warmed["counts"][k] for k in ("trained", "looked", "kept")} == {"trained": 2 * n, "looked": n, "kept": 0}
    forward, backward = (warmed["laps"][part]["cpu_seconds"] / (2 * n) for part in ("forward", "backward"))
    unit, via = account["unit_cpu_seconds"], account["methods"]["selection-via-proxy"]
    assert via["proxy"]["counted_cpu_seconds"] == pytest.approx(passes := 3 * n * forward + 2 * n * backward)
    assert via["counted_cpu_seconds"] == pytest.approx(6 * round(n / 2) * (unit["forward"] + unit["backward"]) + passes)
    assert via["spent"]["warm_up"]["cpu_seconds"] == warmed["laps"]["train"]["cpu_seconds"]
    assert via["proxy"]["share"] == pytest.approx((forward + backward) / (unit["forward"] + unit["backward"]))
    assert (via["alpha_fb"], via["alpha_b"]) == (pytest.approx(0.5, abs=1e-3), 0)
    assert via["time_paper"] == pytest.approx(via["time_counted"], abs=1e-6)
    assert via["planned_cost_epochs"] == pytest.approx(0.5 * 6 + 0.5 * (2 + 1 / 3))
    assert "proxy" not in account["methods"]["full"]
