"""The door before the backward pass, end to end: on images and on bicycles, by every way of looking, and with a holdout."""

import numpy as np
import pytest

from pipelines.core.tables import read_table

pytestmark = pytest.mark.slow
COMPARED = {
    "full": "none",
    "adaselection": "none",
    "adaselection-stale": "none",
    "adaselection-whole": "none",
    "rho-loss": "irreducible",
    "swiftlearn-adaselection": "two-epochs",
}
HOLDOUT = {"epochs": 2, "holdout": 0.2}


def test_digits_by_every_way_of_looking(compared, copy_of_finished, run_in):
    read = compared("digits", COMPARED, {"irreducible": HOLDOUT})
    counts = {name: read(f"cost/train.{name}.json")["counts"] for name in COMPARED}
    n = counts["full"]["examples"]
    fresh, stale, whole, rho = (counts[m] for m in ("adaselection", "adaselection-stale", "adaselection-whole", "rho-loss"))
    assert (fresh["drawn"], fresh["looked"], fresh["kept"]) == (6 * n, 6 * n, fresh["trained"])
    assert fresh["trained"] == pytest.approx(0.2 * 6 * n, rel=0.02)
    assert (stale["drawn"], stale["looked"]) == (6 * n, 2 * n)
    assert whole["looked"] + whole["trained"] == 6 * n
    assert (whole["kept"], stale["trained"]) == (0, pytest.approx(0.5 * 6 * n, rel=0.02))
    held, _ = read_table(copy_of_finished / "results/warm_up/irreducible/scores.parquet")
    assert rho["drawn"] == 6 * (n - held["holdout"].sum())
    ledger, _ = read_table(copy_of_finished / "results/train/rho-loss/ledger.parquet")
    assert ledger["drawn"][held["holdout"]].sum() == 0
    assert ledger["id"].tolist() == held["id"].tolist()

    account = read("account/account.json")["methods"]
    assert account["adaselection"]["alpha_b"] == pytest.approx(0.8, abs=0.01)
    assert account["adaselection"]["alpha_fb"] == pytest.approx(0, abs=0.01)
    assert account["adaselection-stale"]["alpha_fb"] == pytest.approx(2 / 3 * 0.5, abs=0.02)
    assert account["adaselection-whole"]["alpha_b"] == pytest.approx(whole["looked"] / (6 * n))
    rows = {r["method"]: r for r in read("compare/comparison.json")["rows"]}
    assert rows["adaselection"]["accuracy"] > 0.9
    history = read("train/adaselection/history.json")
    assert all(sum(v for k, v in p.items() if k != "place") == pytest.approx(1) for r in history for p in r["course"])
    assert sum(len(r["course"]) for r in history) >= 6 * 8

    scores = copy_of_finished / "results/warm_up/irreducible/scores.parquet"
    before = scores.read_bytes()
    run_in(copy_of_finished, "dvc", "repro", "--force", "--single-item", "warm_up@irreducible")
    assert scores.read_bytes() == before
    assert np.isfinite(held["loss"]).all()
    assert held["loss"][held["holdout"]].mean() < held["loss"][~held["holdout"]].mean()


def test_bicycles_chosen_by_adaselection(compared):
    read = compared("bike-sharing", {"full": "none", "adaselection": "none", "gradient-norm": "none"}, epochs=3)
    rows = {r["method"]: r for r in read("compare/comparison.json")["rows"]}
    assert rows["full"]["examples_trained"] == 3 * 13_903
    assert rows["adaselection"]["examples_trained"] == pytest.approx(0.2 * 3 * 13_903, rel=0.01)
    assert min(r["r2"] for r in rows.values()) > 0
