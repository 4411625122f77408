"""The whole path, from a client's socket to somebody else's BMC, and back by somebody else's tool."""

from collections.abc import Generator

import pytest

from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.vocabulary import PowerState, PowerTarget, RequestState
from tests.support.ipmi_sim import IPMISim, running_ipmi_sim

pytestmark = pytest.mark.simulators

PATIENCE_S = 20.0


@pytest.fixture
def bmc() -> Generator[IPMISim]:
    with running_ipmi_sim() as simulator:
        yield simulator


@pytest.fixture
def client(bmc: IPMISim) -> Generator[Client]:
    with running_conductor() as conductor, conductor.client() as talking:
        talking.nodes.create("n1", driver_info=bmc.driver_info)
        yield talking


@pytest.mark.parametrize(
    ("target", "state", "controls"),
    [
        (PowerTarget.ON, PowerState.ON, ["on"]),
        (PowerTarget.REBOOT, PowerState.ON, ["off", "on"]),
        (PowerTarget.SOFT_OFF, PowerState.OFF, ["soft off"]),
        (PowerTarget.SOFT_REBOOT, PowerState.ON, ["soft off", "on"]),
        (PowerTarget.OFF, PowerState.OFF, ["off"]),
    ],
)
def test_every_power_target_is_reached_and_ipmitool_sees_it(
    bmc: IPMISim, client: Client, target: PowerTarget, state: PowerState, controls: list[str]
) -> None:
    opposite = {PowerTarget.ON: "off", PowerTarget.REBOOT: "on"}.get(target, "on")
    bmc.ipmitool("power", opposite)
    before = bmc.control_count

    request = client.nodes.power("n1", target).wait(timeout_s=PATIENCE_S)

    assert request.state is RequestState.SUCCEEDED
    assert request.result is not None
    assert request.result["power_state"] == state
    assert request.result["sent"] == controls
    assert bmc.power is state
    assert bmc.control_count - before == len(controls)


def test_a_machine_that_is_there_already_is_sent_nothing(bmc: IPMISim, client: Client) -> None:
    bmc.ipmitool("power", "on")
    before = bmc.control_count

    request = client.nodes.power("n1", PowerTarget.ON).wait(timeout_s=PATIENCE_S)

    assert request.state is RequestState.SUCCEEDED
    assert bmc.control_count == before


def test_a_bmc_that_reboots_between_two_requests_is_logged_in_to_again(bmc: IPMISim, client: Client) -> None:
    client.nodes.power("n1", PowerTarget.ON).wait(timeout_s=PATIENCE_S)
    bmc.reboot()

    request = client.nodes.power("n1", PowerTarget.OFF).wait(timeout_s=PATIENCE_S)

    assert request.state is RequestState.SUCCEEDED
    assert bmc.power is PowerState.OFF


def test_a_boot_device_set_here_is_what_ipmitool_reads(bmc: IPMISim, client: Client) -> None:
    request = client.nodes.set_boot_device("n1", "pxe", persistent=True).wait(timeout_s=PATIENCE_S)
    read = client.nodes.boot_device("n1").wait(timeout_s=PATIENCE_S)

    assert request.state is RequestState.SUCCEEDED
    assert read.result == {"boot_device": "pxe", "persistent": True, "uefi": False}
    assert "PXE" in bmc.ipmitool("chassis", "bootparam", "get", "5")


def test_a_wrong_password_ends_the_request_with_what_to_mend(bmc: IPMISim, client: Client) -> None:
    client.nodes.set("n1", driver_info={"ipmi_password": "wrong"})

    request = client.nodes.power("n1", PowerTarget.ON).wait(timeout_s=PATIENCE_S)

    assert request.state is RequestState.FAILED
    assert request.view.error is not None
    assert request.view.error["code"] == "bmc.credentials"
    assert request.view.error["applied"] == "no"
    assert bmc.control_count == 0
