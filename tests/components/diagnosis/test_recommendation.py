import pytest

from components.diagnosis.recommendation import Facts, recommend

LARGE = {"examples": 60_000, "epochs": 10}


@pytest.mark.parametrize(
    ("facts", "method", "settings"),
    [
        ({"sample_size": 0.3}, "importance", {"budget": 0.35}),
        ({"sample_size": 0.3, "epochs": 5}, "importance", {"budget": 0.5}),
        ({"sample_size": 0.8}, None, {}),
        ({"sample_size": 0.42}, None, {}),
        ({"sample_size": 0.52, "wrong_labels": 0.07}, None, {}),
        ({"sample_size": 0.8, "wrong_labels": 0.2}, "importance", {"budget": 0.35}),
        ({"sample_size": 0.3, "examples": 2000}, None, {}),
        ({"sample_size": 0.3, "examples": 2000, "wrong_labels": 0.3}, "importance", {"budget": 0.35}),
        ({"sample_size": 0.3, "epochs": 2}, None, {}),
        ({}, None, {}),
        ({"sample_size": 0.3, "apart": 0.9}, "target", {"fraction": 0.3}),
        ({"sample_size": 0.3, "apart": 0.6}, "importance", {"budget": 0.35}),
        ({"sample_size": 0.3, "by_class": True, "imbalance": 40.0}, "importance", {"class_weights": "square-root"}),
        ({"sample_size": 0.3, "by_class": True, "imbalance": 40.0, "epochs": 2}, "balanced", {"fraction": 0.5}),
        ({"sample_size": 0.57, "by_class": True, "imbalance": 15.0}, "balanced", {"budget": "equal"}),
        ({"by_class": True, "imbalance": 15.0}, "balanced", {"budget": "equal"}),
        ({"sample_size": 0.3, "by_class": True, "imbalance": 2.0}, "importance", {}),
        ({"sample_size": 0.3, "imbalance": 40.0}, "importance", {}),
    ],
)
def test_what_fits(facts, method, settings):
    found = recommend(Facts(**LARGE | facts))
    assert found.method == method
    assert found.settings.items() >= settings.items()
    assert found.why.endswith(".")
    assert (found.cost is None) == (method is None)


def test_a_target_needs_its_warm_up():
    assert recommend(Facts(**LARGE, apart=0.9)).warm_up == {"epochs": 0, "nearness": "ngrams"}


def test_where_training_weighs_classes_no_method_is_to():
    facts = {"sample_size": 0.3, "by_class": True, "imbalance": 40.0, "weighed": True}
    assert recommend(Facts(**LARGE | facts)).settings == {"budget": 0.5}
