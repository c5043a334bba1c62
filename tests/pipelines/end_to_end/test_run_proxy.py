"""Selection via Proxy, end to end: a smaller perceptron ranks the digits, and is charged by its own seconds and passes."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipelines.config.plans import WarmUpPlan
from pipelines.core import artifacts
from pipelines.core.artifacts import result
from pipelines.core.errors import UserError
from pipelines.core.tables import read_table
from pipelines.plan import plan
from pipelines.subset import subset
from pipelines.training import models
from pipelines.warm_up import warm_up

PROXY = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp", "options": {"hidden": 32}}, "share": 0.5}}
#: The methods, each with the column that it ranks by, if it is one.
BY = {
    "selection-via-proxy": "least_confidence",
    "selection-via-proxy-forgetting": "forgetting",
    "selection-via-proxy-centres": None,
}
COMPARED = {"full": "none", **dict.fromkeys(BY, "proxy")}
GOOD = ("a joy", "a fine film")
NOTHING = {"scores_in": "train", "holdout": None, "proxy": None, "nearness": None, "fake_class": False}


@pytest.mark.slow
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


@pytest.fixture
def small_texts(prepared, tmp_path):
    """Twelve texts, prepared for a tiny encoder, whose params name the model of a proxy."""
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"{t},{t in GOOD}\n" for t in (*GOOD, "a bore", "dull") * 3))

    def planned(model):
        manifest, *_ = prepared({"from": "files", "train": str(path)}, {"text": "text", "label": "label"}, test=2)
        params = yaml.safe_load(Path("params.yaml").read_text())
        params["compare"] = {"full": "none", "selection-via-proxy-centres": "proxy"}
        params["warm_ups"]["proxy"] = {
            "epochs": 1,
            "proxy": {"model": model, "optimizer": {"name": "adam", "learning_rate": 0.1}},
        }
        Path("params.yaml").write_text(yaml.safe_dump(params))
        plan()
        return manifest

    return planned


@pytest.mark.slow
def test_texts_ranked_by_a_bag_of_the_encoders_tokens(small_texts, vocabulary, encoder):
    from transformers import BertConfig, BertForSequenceClassification

    manifest = small_texts({"family": "small", "name": "bag", "options": {"width": 5}})
    assert manifest.vocabulary == len(vocabulary)
    BertForSequenceClassification(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)
    warm_up("proxy")
    scores, _ = read_table(result("warm_up", "proxy", "scores.parquet"))
    assert scores["features"].shape == (manifest.counts.train, 5)
    numbers, tensors = artifacts.read_state(result("warm_up", "proxy", "state.safetensors"))
    assert numbers["position"]["steps"] == 0, "the encoder's training starts from nothing"
    assert any(name.startswith("model.bert.encoder") for name in tensors)
    subset("selection-via-proxy-centres")
    chosen, _ = read_table(result("subset", "selection-via-proxy-centres", "subset.parquet"))
    assert len(chosen["id"]) == round(len(scores["id"]) / 2)


def test_an_option_that_a_proxy_has_not_is_named_by_its_own_key(small_texts):
    manifest = small_texts({"family": "small", "name": "bag", "options": {"widht": 5}})
    model = WarmUpPlan.read(artifacts.plan_of("warm_ups", "proxy")).proxy.model
    with pytest.raises(UserError, match=r"^params.yaml: warm_ups.proxy.proxy.model: options.widht: .* did you mean 'width'\?"):
        models.build(model, manifest, "warm_ups.proxy.proxy.model")


def test_a_fake_class_is_refused_where_there_are_two_or_none(prepared, tmp_path):
    rows = ["text,label", *(f"{GOOD[i % 2]},{'yes' if i % 2 else 'no'}" for i in range(20))]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    prepared({"from": "files", "train": str(tmp_path / "rows.csv")}, {"text": "text", "label": "label"}, test=4)
    artifacts.write_json(artifacts.plan_of("warm_ups", "fake"), {**NOTHING, "epochs": 2.0, "fake_class": True, "needed": True})
    with pytest.raises(
        UserError, match=r"warm_ups.fake.fake_class: must be false for a task of fewer than 3 classes.*has 2 classes"
    ):
        warm_up("fake")


@pytest.mark.slow
def test_the_fake_rows_are_told_and_the_method_starts_from_nothing(prepared, torch_as_it_was, monkeypatch):
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    prepared({"from": "scikit-learn", "name": "digits"}, {}, kind="image", test=0.2)
    artifacts.write_json(artifacts.plan_of("warm_ups", "fake"), {**NOTHING, "epochs": 2.0, "fake_class": True, "needed": True})
    warm_up("fake")
    scores, _ = read_table(result("warm_up", "fake", "scores.parquet"))
    assert scores["fake"].sum() == len(scores["id"]) // 11
    assert (scores["seen"] == 2).all()
    # The model learns that there is such a class, and what it says of the others is said as ever.
    assert scores["predicted"].max() <= 10
    assert scores["margin_mean"][scores["fake"]].mean() > 0.3 > scores["margin_mean"][~scores["fake"]].mean()
    numbers, tensors = artifacts.read_state(result("warm_up", "fake", "state.safetensors"))
    assert numbers["position"]["epoch"] == 0
    assert not any(len(v) == 11 for k, v in tensors.items() if k.startswith("model.") and v.dim())
