"""Warm-ups and proxies: what they cost, and what is refused."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.config.loader import load
from pipelines.config.schema.warm_up import WarmUp
from pipelines.plan import plan

PROXY = {"epochs": 2, "proxy": {"model": {"family": "small", "name": "bag"}, "share": 0.05}}
OTHER_ENCODER = {"family": "transformers", "source": {"from": "hub", "id": "a/b", "revision": "main"}}
BAD = {
    "all held out": ({"warm_ups.irreducible": {"epochs": 3, "holdout": 1.0}}, r"irreducible.holdout: .*less than 1, got 1.0"),
    "part of an epoch of a holdout": (
        {"warm_ups.irreducible": {"epochs": 1.5, "holdout": 0.2}},
        r"irreducible: epochs: must be whole with holdout, which looks after them, got 1.5; the nearest that works is 2",
    ),
    "a proxy that is of other data": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "small", "name": "mlp"}}}},
        r"warm_ups.proxy.proxy: model.name: for a task of kind 'text' 'bag', got 'mlp' \(task 'movie-reviews'\)",
    ),
    "a proxy of a family that is of other data": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "torchvision", "name": "vit"}}}},
        r"proxy: model.family: for a task of kind 'text' 'small' or 'transformers', got 'torchvision'",
    ),
    "a proxy that reads other tokens": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": OTHER_ENCODER}}},
        r"proxy: model.source: must be that of the task's model, .* has fewer num_hidden_layers",
    ),
    "a proxy of a model that there is not": (
        {"warm_ups.proxy": {"epochs": 2, "proxy": {"model": {"family": "small", "name": "bags"}}}},
        r"warm_ups.proxy.proxy.model.name: .*'bag'.*got 'bags'",
    ),
    "a proxy for a number": (
        {"task": "bike-sharing", "compare": {"full": "none"}, "warm_ups.proxy": PROXY},
        r"warm_ups.proxy.proxy: ranks examples by the probabilities of classes, and the task predicts none; take it out",
    ),
    "a proxy and a holdout": (
        {"warm_ups.proxy": PROXY | {"holdout": 0.2}},
        r"warm_ups.proxy: proxy: trains on all examples .* take out holdout, or the proxy",
    ),
    "a proxy that looks after every epoch": (
        {"warm_ups.proxy": PROXY | {"scores_in": "eval"}},
        r"warm_ups.proxy: proxy: trains on all examples .* take out scores_in: eval, or the proxy",
    ),
    "part of an epoch of a proxy": (
        {"warm_ups.proxy": PROXY | {"epochs": 0.5}},
        r"warm_ups.proxy: epochs: must be whole with proxy, which looks after them, got 0.5; the nearest that works is 1",
    ),
    "half an epoch to look after": (
        {"warm_ups.half": {"epochs": 0.5, "scores_in": "eval"}},
        r"warm_ups.half: epochs: must be whole with scores_in: eval.*got 0.5; the nearest that works is 1",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)


def test_an_encoder_with_fewer_layers_may_be_the_proxy_of_the_whole(write_params):
    model = load(write_params({}) / "params.yaml").chosen.model.model_dump(by_alias=True) | {"num_hidden_layers": 1}
    proxy = {"epochs": 3, "proxy": {"model": model}}
    write_params(
        {
            "compare": {"full": "none", "selection-via-proxy": "small"},
            "warm_ups": {"none": {"epochs": 0}, "small": proxy},
            "diagnose": {"warm_up": "none"},
        }
    )
    plan()
    planned = json.loads(Path("results/plan/warm_ups/small.json").read_text())
    assert planned["proxy"]["model"]["num_hidden_layers"] == 1


@pytest.mark.parametrize(
    ("keys", "begun", "extra"),
    [
        ({"epochs": 2}, 2, 0),
        ({"epochs": 2, "scores_in": "eval"}, 2, 2 / 3),
        ({"epochs": 3, "holdout": 0.2}, 0, 0.2 * 3 + 1 / 3),
        (PROXY, 0, 0.05 * (2 + 1 / 3)),
        ({"epochs": 2, "fake_class": True}, 0, 2),
        ({"epochs": 0, "nearness": "ngrams"}, 0, 0),
        ({"epochs": 0, "nearness": "features"}, 0, 1 / 3),
    ],
    ids=str,
)
def test_what_a_warm_up_costs_beside_a_methods_own_epochs_by_hand(keys, begun, extra):
    warm_up = WarmUp.model_validate(keys)
    assert (warm_up.start_epoch, warm_up.extra) == (begun, pytest.approx(extra))


@pytest.mark.parametrize(
    "keys",
    [{"nearness": "ngrams", "epochs": 1}, {"fake_class": True, "holdout": 0.2}, {"fake_class": True, "scores_in": "eval"}],
)
def test_a_warm_up_is_of_one_kind(keys):
    with pytest.raises(ValidationError, match=r"is a warm-up of its own|compares examples and trains nothing"):
        WarmUp.model_validate({"epochs": 2} | keys)
