"""A whole deploy: against OpenIPMI's ipmi_sim, whose state ipmitool tells, our farm, and OpenStack's sushy-emulator."""

import threading
from typing import Any

import pytest

from castiron.testing import BMCFarm
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import PowerOffDisabled
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.ipmi_sim import running_ipmi_sim
from tests.support.moving import PATIENCE_S, Story
from tests.support.sushy import UUID, running_sushy

DEPLOY: list[Any] = [
    {"interface": "management", "step": "set_boot_device", "args": {"boot_device": "pxe"}},
    "reboot",
    {"step": "wait", "name": "agent"},
    {"interface": "power", "step": "check_power_state", "args": {"power_state": "power on"}},
]


def play_agent(endpoint: str) -> None:
    """Be what boots on the machine: look for the token, tell that the work goes on, and that it is done."""
    with Client(endpoint, timeout_s=20) as client:
        token = Story(client).token("n1")
        for percent in (20, 80):
            client.provision.step_progress("n1", token, {"percent": percent})
        client.provision.step_done("n1", token, result={"image": "fedora-44"})


def deploy(story: Story) -> None:
    """Bring a node that is enrolled to `active`, with an agent on its machine."""
    for target in ("manage", "provide", "manage", "inspect", "provide"):
        story.ended(story.move("n1", target))
    agent = threading.Thread(target=play_agent, args=(story.client.endpoint,))
    agent.start()

    request = story.ended(story.move("n1", "deploy", DEPLOY))

    agent.join(PATIENCE_S)
    steps = (request.result or {})["steps"]
    assert [(one["name"], one["state"]) for one in steps] == [
        ("management.set_boot_device", "success"),
        ("reboot", "success"),
        ("agent", "success"),
        ("power.check_power_state", "success"),
    ]
    assert steps[2]["result"] == {"image": "fedora-44"}
    node = story.show("n1")
    assert (node.provision_state, node.power_state, node.last_error) == ("active", "power on", None)
    assert [one.payload["progress"]["percent"] for one in story.told("n1", types=["node.step.progress"])] == [20, 80]


@pytest.mark.simulators
def test_a_machine_is_managed_cleaned_inspected_and_deployed_and_ipmitool_sees_it(begin: Begin) -> None:
    with running_ipmi_sim() as bmc:
        story = begin()
        story.client.nodes.create("n1", driver_info=bmc.driver_info)

        deploy(story)

        assert "Force PXE" in bmc.ipmitool("chassis", "bootparam", "get", "5")
        assert bmc.power == "power on"
        properties = story.show("n1").properties
        assert {"device_id", "system_guid", "fru", "sensors"} <= set(properties)

        story.ended(story.move("n1", "undeploy"))
        assert bmc.power == "power off"
        assert story.show("n1").provision_state == "available"


def test_a_machine_of_the_farm_is_deployed_over_udp(begin: Begin) -> None:
    with BMCFarm(bmcs=1) as farm:
        story = begin()
        story.client.nodes.create("n1", driver_info=farm[0].driver_info)

        deploy(story)

        assert [control.action.name for control in farm[0].controls] == ["POWER_UP"]
        until(lambda: story.show("n1").active_request is None)


@pytest.mark.simulators
def test_a_machine_is_rescued_from_the_network_and_boots_its_disk_again(begin: Begin) -> None:
    with running_ipmi_sim() as bmc:
        story = begin()
        story.client.nodes.create("n1", driver_info=bmc.driver_info)
        for target in ("manage", "provide", "deploy"):
            story.ended(story.move("n1", target))

        request = story.move("n1", "rescue")
        story.at("n1", "rescue wait")
        assert "Force PXE" in bmc.ipmitool("chassis", "bootparam", "get", "5")
        assert bmc.power == "power on"
        story.client.provision.step_done("n1", story.token("n1"))
        story.ended(request)
        assert story.show("n1").provision_state == "rescue"

        story.ended(story.move("n1", "unrescue"))
        assert story.show("n1").provision_state == "active"
        assert "Force Boot from default Hard-Drive" in bmc.ipmitool("chassis", "bootparam", "get", "5")


def test_nobody_calls_back_from_a_rescue_in_time(begin: Begin) -> None:
    story = begin(rescue_callback_timeout_s=1.0)
    story.node("n1", "active")

    request = story.ended(story.move("n1", "rescue"), "failed")

    assert (request.view.error or {})["code"] == "step.timeout"
    assert story.show("n1").provision_state == "rescue failed"


def test_a_machine_that_must_stay_on_is_rescued_by_named_steps_only(begin: Begin) -> None:
    story = begin()
    story.node("n1", "active")
    story.client.nodes.set("n1", disable_power_off=True)

    for target in ("rescue", "unrescue"):
        with pytest.raises(PowerOffDisabled):
            story.move("n1", target)
    story.ended(story.move("n1", "rescue", [{"step": "wait", "args": {"seconds": 0}}]))


@pytest.mark.simulators
def test_a_machine_is_deployed_over_redfish(begin: Begin) -> None:
    with running_sushy() as bmc:
        story = begin(sync_power_state_interval_s=1.0)
        story.client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)

        deploy(story)

        assert bmc.power == "power on"
        assert bmc.resets == 1
        assert bmc.system["Boot"]["BootSourceOverrideTarget"] == "Pxe"
        properties = story.show("n1").properties
        assert properties["system_guid"] == {"system_guid": UUID}
        assert properties["device_id"]["redfish"] == "1.5.0"
        assert properties["fru"]["product"]["manufacturer"] == "Sushy Emulator"
        assert "CPU Temp" in str(properties["sensors"])

        mode = {"interface": "management", "step": "set_boot_mode", "args": {"boot_mode": "bios"}}
        story.ended(story.move("n1", "service", [mode]))
        assert bmc.system["Boot"]["BootSourceOverrideMode"] == "Legacy"
        story.ended(story.move("n1", "undeploy"))
        assert bmc.power == "power off"
