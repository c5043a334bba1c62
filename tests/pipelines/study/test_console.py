"""The time that is left of a study is by the costs of its trials."""

from types import SimpleNamespace

from pipelines.study import console
from pipelines.trials import runner


def test_what_is_left_takes_its_share_of_the_costs(monkeypatch, capsys):
    cost, seconds, now = {"a": 1.0, "b": 3.0}, {"a": 10.0, "b": 20.0}, [100.0]

    def run(study, seed, name):
        now[0] += seconds[name]

    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(runner, "run", run)
    study = SimpleNamespace(grid={name: SimpleNamespace(cost=of) for name, of in cost.items()})
    work = console.timed_runner(study, [(0, "a"), (0, "b")])
    # A quarter took 10 seconds; tried again, 20; all of it 40.
    for name in ("a", "a", "b"):
        work(0, name)
    assert capsys.readouterr().err.splitlines() == [
        "winnow study: 1/2: a, seed 0: 10.0 s, about 30 s left",
        "winnow study: 1/2: a, seed 0: 10.0 s, about 60 s left",
        "winnow study: 2/2: b, seed 0: 20.0 s, about 0 s left",
    ]
