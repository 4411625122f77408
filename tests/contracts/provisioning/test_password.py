"""A BMC's password is changed by a step: what lets in is what is stored, as ipmitool and the farm see it."""

import logging
from typing import Any

import pytest

from castiron.testing import BMCFarm
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.errors import StepInvalid
from castiron.transport.replies import MASK
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.ipmi_sim import PASSWORD, running_ipmi_sim
from tests.support.moving import PATIENCE_S, Story

NEW = "n3w-password"
FAILS: dict[str, Any] = {"interface": "test", "step": "raises"}


def change(**args: Any) -> dict[str, Any]:
    return {"interface": "management", "step": "change_bmc_password", "args": args}


def active(story: Story, info: dict[str, Any]) -> None:
    story.client.nodes.create("n1", driver_info=info)
    for target in ("manage", "provide", "deploy"):
        story.ended(story.move("n1", target, [{"step": "wait", "args": {"seconds": 0}}]))


def checks_well(story: Story, since: float) -> bool:
    seen_at = story.show("n1").power_state_at
    return seen_at is not None and seen_at > since


@pytest.mark.simulators
def test_the_new_password_lets_ipmitool_in_and_the_old_one_does_not(begin: Begin) -> None:
    with running_ipmi_sim() as bmc:
        story = begin(sync_power_state_interval_s=1.0)
        active(story, bmc.driver_info)

        ended = story.ended(story.move("n1", "service", [change(password=NEW)]))

        assert (bmc.accepts(NEW), bmc.accepts(PASSWORD)) == (True, False)
        at = ended.view.ended_at or 0.0
        until(lambda: checks_well(story, at), timeout_s=PATIENCE_S)
        assert (story.show("n1").fault, story.show("n1").maintenance) == (None, False)
        story.client.nodes.set("n1", driver_info={"ipmi_priv_level": "OPERATOR"})  # which has it logged in to anew
        story.ended(story.client.nodes.power("n1", "power on"))
        assert bmc.ipmitool("power", "status", password=NEW).endswith("is on")


@pytest.mark.simulators
def test_what_ipmi_sim_keeps_a_part_of_is_taken_back(begin: Begin) -> None:
    with running_ipmi_sim() as bmc:
        story = begin()
        active(story, bmc.driver_info)

        ended = story.ended(story.move("n1", "service", [change(password="20 bytes, none spare")]), "failed")

        assert "kept only 16 bytes" in (ended.view.error or {})["message"]
        assert bmc.accepts(PASSWORD)
        story.ended(story.client.nodes.power("n1", "power on"))


def test_a_drawn_password_is_told_nobody_and_lets_in(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with BMCFarm(bmcs=1, password="0ld-secret") as farm:
        old = farm[0].password
        story = begin(sync_power_state_interval_s=1.0)
        active(story, farm[0].driver_info)

        ended = story.ended(story.move("n1", "service", [change(generate=True), "reboot"]))

        drawn = farm[0].password
        assert (len(drawn), drawn.isprintable(), drawn != old) == (16, True, True)
        assert story.show("n1").driver_info["ipmi_password"] == MASK
        told = [story.told(), story.client.requests.trace(ended.id), story.client.requests.show(ended.id)]
        told += [story.client.provision.steps("n1"), story.show("n1")]
        for secret in (drawn, old):
            assert secret not in f"{told} {caplog.text}"
        assert story.show("n1").power_check_failures == 0


def test_a_later_failure_takes_it_back(begin: Begin) -> None:
    with BMCFarm(bmcs=1) as farm:
        old = farm[0].password
        story = begin()
        active(story, farm[0].driver_info)

        story.ended(story.move("n1", "service", [change(password=NEW), FAILS]), "failed")

        assert farm[0].password == old
        story.ended(story.client.nodes.power("n1", "power on"))


def test_the_fake_driver_changes_its_own(begin: Begin) -> None:
    story = begin()
    info = {"fake_username": "admin", "fake_password": "0ld-password"}
    story.node("n1", "active", driver_info=info)

    request: Request = story.ended(story.move("n1", "service", [change(password=NEW), "power_on"]))

    assert request.state == "succeeded"
    assert story.show("n1").power_state == "power on"


def test_a_password_in_the_way_of_the_rules_is_refused_and_not_repeated(begin: Begin) -> None:
    story = begin()
    story.node("n1", "active")

    with pytest.raises(StepInvalid) as refusal:
        story.move("n1", "service", [change(password="x" * 21)])

    assert "x" * 21 not in str(refusal.value)
