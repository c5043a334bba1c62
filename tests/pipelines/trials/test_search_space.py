"""Every combination of varied values is a trial with a valid name."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.config.schema.sections import Name
from pipelines.trials.search_space import name_of


def test_every_combination_of_values_is_a_cell_with_a_valid_name(grid):
    vary = {"infobatch": {"prune": [0.3, 0.5], "until": [0.5, 1]}, "swiftlearn": {"select": ["top", "sample"]}}
    read = grid(vary=vary)
    found = {c.name: c for c in read.trials if c.role == "method"}
    infobatch = [f"infobatch-prune-{p}-until-{u}" for p in (0.3, 0.5) for u in (0.5, 1)]
    assert list(found) == [f"swiftlearn-select-{s}-{f}" for s in ("top", "sample") for f in (0.1, 0.5)] + infobatch
    assert read.params.methods["infobatch-prune-0.5-until-1"] == {"method": "infobatch", "prune": 0.5, "until": 1}
    assert read.params.methods["swiftlearn-select-sample-0.1"]["select"] == "sample"
    assert {c.column for c in found.values()} == {*infobatch, "swiftlearn-select-top", "swiftlearn-select-sample"}
    assert found[infobatch[0]].settings == (("prune", 0.3), ("until", 0.5))


def test_a_fraction_may_be_varied_and_then_needs_no_other(grid):
    read = grid(
        methods={"rule": "none"}, fractions=[], vary={"rule": {"fraction": [0.1, 0.4], "rule": ["big-loss", "coreset-1"]}}
    )
    assert [(c.name, c.fraction) for c in read.trials if c.role == "method"] == [
        ("rule-rule-big-loss-0.1", 0.1), ("rule-rule-big-loss-0.4", 0.4),
        ("rule-rule-coreset-1-0.1", 0.1), ("rule-rule-coreset-1-0.4", 0.4),
    ]  # fmt: skip


VALUES = st.one_of(
    st.integers(-9, 9),
    st.floats(-9, 9, allow_subnormal=False),
    st.booleans(),
    st.none(),
    st.text(max_size=30),
    st.just("stale(3)"),
)


NAMED = TypeAdapter(Name)


@given(
    st.lists(st.tuples(st.sampled_from(["look", "threshold_update"]), VALUES), max_size=4), st.sampled_from([None, 0.1, 1e-05])
)
def test_names_are_valid_also_before_those_of_their_controls(settings, fraction):
    NAMED.validate_python(f"uniform-at-{name_of('selective-backprop', tuple(settings), fraction)}")


def test_long_names_are_cut_and_differ():
    names = {name_of("multistage", (("threshold_update", "sliding" * 5), ("start", s)), 0.1) for s in (0.1, 0.2)}
    assert len(names) == 2
    assert {len(n) for n in names} == {52}
    assert (
        name_of("multistage", (("look", "stale(3)"), ("start", 0.1), ("beta", -0.5)))
        == "multistage-look-stale-3-start-0.1-beta--0.5"
    )
