"""The address of the experiment's runs; without a store, that of the server."""

from types import SimpleNamespace

from pipelines.tracking import experiment_url


def test_the_page_is_that_of_the_experiment_or_the_servers_first(monkeypatch):
    monkeypatch.setattr(experiment_url, "with_tracker", lambda work: work(SimpleNamespace(experiment="7")))
    assert experiment_url.page("http://127.0.0.1:5000") == "http://127.0.0.1:5000/#/experiments/7/runs"
    monkeypatch.setattr(experiment_url, "with_tracker", lambda work: None)
    assert experiment_url.page("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
