"""Power checks of a running conductor: real sockets, simulated BMCs, and somebody else's."""

from dataclasses import replace
from typing import Final

import pytest

from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, Faults, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.events import EventView
from castiron.transport.vocabulary import Fault, PowerState, RequestState
from tests.support.deadline import until
from tests.support.ipmi_sim import running_ipmi_sim

OFTEN: Final = Settings(
    sync_power_state_interval_s=0.2,
    power_check_start_spread_s=0.1,
    power_check_backoff_max_s=0.2,
    power_failure_recovery_interval_s=0.2,
    command_timeout_s=0.5,
)
PATIENCE_S: Final = 20.0

pytestmark = pytest.mark.castiron(settings=OFTEN, impatient=False)


def seen(client: Client, node: str) -> PowerState | None:
    return client.nodes.show(node).power_state


def told(client: Client, node: str) -> list[EventView]:
    return [event for event in reversed(client.nodes.history(node)) if event.type != "node.create.end"]


@pytest.mark.castiron(nodes=1, settings={})
def test_a_new_node_is_looked_at_soon_without_being_asked_for(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    bmc_farm[0].power = PowerState.ON

    until(lambda: seen(castiron_client, "n1") is PowerState.ON, timeout_s=PATIENCE_S)


def test_power_that_is_pulled_behind_our_back_is_told_of_once_and_nothing_is_sent(
    bmc_farm: BMCFarm, castiron_client: Client
) -> None:
    until(lambda: seen(castiron_client, "n1") is PowerState.OFF, timeout_s=PATIENCE_S)

    bmc_farm[0].power = PowerState.ON
    until(lambda: seen(castiron_client, "n1") is PowerState.ON, timeout_s=PATIENCE_S)
    commands = bmc_farm[0].command_count
    until(lambda: bmc_farm[0].command_count > commands + 2, timeout_s=PATIENCE_S)

    assert [(event.type, event.payload) for event in told(castiron_client, "n1")] == [
        ("node.power_state_corrected.success", {"from_power": None, "power_state": "power off"}),
        ("node.power_state_corrected.success", {"from_power": "power off", "power_state": "power on"}),
    ]
    assert bmc_farm[0].control_count == 0
    assert {event.type for number in (2, 3) for event in told(castiron_client, f"n{number}")} <= {
        "node.power_state_corrected.success"
    }


def test_a_silent_bmc_becomes_a_fault_and_its_next_answer_takes_it_back(
    bmc_farm: BMCFarm, castiron_client: Client
) -> None:
    until(lambda: seen(castiron_client, "n1") is PowerState.OFF, timeout_s=PATIENCE_S)
    bmc_farm[0].set_faults(Faults(silent=True))

    until(lambda: castiron_client.nodes.show("n1").fault is Fault.POWER_FAILURE, timeout_s=PATIENCE_S)
    put_aside = castiron_client.nodes.show("n1")
    bmc_farm[0].set_faults(Faults())
    until(lambda: castiron_client.nodes.show("n1").fault is None, timeout_s=PATIENCE_S)
    taken_back = castiron_client.nodes.show("n1")

    assert (put_aside.maintenance, put_aside.power_state) == (True, None)
    assert "did not answer" in str(put_aside.maintenance_reason) or "unanswered" in str(put_aside.maintenance_reason)
    assert (taken_back.maintenance, taken_back.maintenance_reason, taken_back.last_error) == (False, None, None)
    assert [event.type for event in told(castiron_client, "n1")][1:] == [
        "node.fault_set.success",
        "node.fault_cleared.success",
        "node.power_state_corrected.success",
    ]
    assert castiron_client.nodes.show("n2").fault is None


@pytest.mark.castiron(nodes=1, settings=replace(OFTEN, force_power_state_during_sync=True))
def test_a_machine_is_driven_back_where_the_settings_say_so(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    assert castiron_client.nodes.power("n1", "power on").wait(PATIENCE_S).state is RequestState.SUCCEEDED

    bmc_farm[0].power = PowerState.OFF
    bmc_farm[0].wait_for_power(PowerState.ON, PATIENCE_S)
    until(lambda: castiron_client.nodes.show("n1").active_request is None, timeout_s=PATIENCE_S)

    ended = {request.view.requester: request.state for request in castiron_client.requests.list()}
    assert len(ended) == 2
    assert ended["power check"] is RequestState.SUCCEEDED


def test_checks_keep_their_sessions_and_are_counted(bmc_farm: BMCFarm, castiron_client: Client) -> None:
    until(lambda: castiron_client.status().checks.agreed > 20, timeout_s=PATIENCE_S)
    checks = castiron_client.status().checks

    assert (checks.corrected, checks.failed, checks.faulted) == (3, 0, 0)
    assert checks.per_s > 0
    assert checks.late_p50_ms is not None
    assert checks.late_p99_ms is not None
    assert 0 <= checks.late_p50_ms <= checks.late_p99_ms
    assert [bmc.login_count for bmc in bmc_farm] == [1, 1, 1]


def test_a_node_that_is_not_to_be_checked_is_left_alone(bmc_farm: BMCFarm, castiron_client: Client) -> None:
    until(lambda: seen(castiron_client, "n1") is PowerState.OFF, timeout_s=PATIENCE_S)
    castiron_client.nodes.set("n1", power_check_interval_s=0)
    commands, others = bmc_farm[0].command_count, castiron_client.status().checks.agreed
    until(lambda: castiron_client.status().checks.agreed > others + 20, timeout_s=PATIENCE_S)

    assert bmc_farm[0].command_count <= commands + 1  # one may have been on its way
    castiron_client.nodes.set("n1", power_check_interval_s=None)
    until(lambda: bmc_farm[0].command_count > commands + 3, timeout_s=PATIENCE_S)


@pytest.mark.simulators
def test_what_ipmitool_does_to_somebody_elses_bmc_is_noticed() -> None:
    with (
        running_ipmi_sim() as bmc,
        running_conductor(settings=OFTEN) as conductor,
        conductor.client() as client,
    ):
        client.nodes.create("n2", driver_info=bmc.driver_info)
        bmc.ipmitool("power", "on")
        until(lambda: seen(client, "n2") is PowerState.ON, timeout_s=PATIENCE_S)
        bmc.ipmitool("power", "off")
        until(lambda: seen(client, "n2") is PowerState.OFF, timeout_s=PATIENCE_S)
