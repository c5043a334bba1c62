"""An agent refuses work of other packages or flows than its own."""

import pytest

pytest.importorskip("prefect")

from pipelines.agents import compatibility
from pipelines.core.errors import UserError


def test_an_agent_with_other_packages_or_flows_refuses_and_names_them():
    own = compatibility.packages()
    compatibility.check("gpu-1", own, compatibility.flows())
    compatibility.check("gpu-1", {}, "")
    assert own["python"].count(".") == 1
    assert "+" not in own["torch"]
    said = (
        rf"^agent gpu-1: its packages differ from the coordinator's: numpy {own['numpy']} \(requested: 1\.0\), "
        r"rustc none \(requested: 2\);"
    )
    with pytest.raises(UserError, match=said):
        compatibility.check("gpu-1", own | {"numpy": "1.0", "rustc": "2"}, "")
    with pytest.raises(UserError, match=r"agent gpu-1: its code differs from the coordinator's; run 'git pull' in "):
        compatibility.check("gpu-1", own, "0" * 64)
