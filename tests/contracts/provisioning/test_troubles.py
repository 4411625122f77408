"""What a step meets at a BMC is told as what a power request meets there."""

import logging
from pathlib import Path

import pytest

from tests.contracts.provisioning.conftest import Begin
from tests.support.step_plugin import notes


def test_a_bmc_that_fails_a_step_is_in_the_log_and_explained(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    story = begin()
    story.client.nodes.create("n1", driver="fake", driver_info={"fake_fault": "credentials", "fake_fault_count": 1})

    story.ended(story.move("n1", "manage"), "failed")

    assert "n1: The fake BMC is scripted to be credentials." in caplog.text
    findings = {one.code: one.text for one in story.client.nodes.explain("n1").findings}
    assert findings["bmc.troubled"] == "Its BMC fails: 1 bmc.credentials."

    story.ended(story.move("n1", "manage"))

    assert "bmc.troubled" not in {one.code for one in story.client.nodes.explain("n1").findings}


def test_what_a_workers_step_comes_to_says_nothing_about_a_bmc(begin: Begin, tmp_path: Path) -> None:
    story = begin()
    story.node("n1", "active")
    story.client.nodes.set("n1", driver_info={"fake_fault": "credentials", "fake_fault_count": 1})
    check = {"interface": "management", "step": "check_bmc"}
    back = {"interface": "test", "step": "back", "args": {"path": str(tmp_path / "trace")}}

    story.ended(story.move("n1", "service", [back, check]), "failed")

    assert "bmc.troubled" in {one.code for one in story.client.nodes.explain("n1").findings}
    assert notes(tmp_path / "trace") != []
