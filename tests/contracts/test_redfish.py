"""Nodes whose BMCs speak Redfish, in a whole conductor: checks, sessions, and what becomes of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from castiron.actors.drivers.registry import BUILT_IN
from castiron.actors.settings import Settings
from castiron.testing import impatient_drivers, running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.support.deadline import until
from tests.support.redfish_bmc import RESET, SYSTEM, RedfishBMC, running_redfish_bmc
from tests.support.redfish_faults import becomes_a_task, hang

OFTEN = Settings(sync_power_state_interval_s=0.1, power_check_start_spread_s=0.0, command_timeout_s=2.0)

pytestmark = pytest.mark.castiron(nodes=0, settings=OFTEN, impatient=False, timeout_s=20)


@pytest.fixture
def bmc() -> Iterator[RedfishBMC]:
    with running_redfish_bmc() as made:
        yield made


def test_checks_use_one_session_and_survive_its_end(bmc: RedfishBMC, castiron_client: Client) -> None:
    castiron_client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
    until(lambda: bmc.count("GET", SYSTEM) >= 5)
    assert (bmc.logins, len(bmc.sessions), bmc.connections) == (1, 1, 1)

    bmc.expire_sessions()
    bmc.drop_connections()
    bmc.power = "On"

    until(lambda: castiron_client.nodes.show("n1").power_state == "power on")
    assert (bmc.logins, castiron_client.nodes.show("n1").power_check_failures) == (2, 0)


def test_the_drivers_for_tests_are_all_that_there_are_and_speak_redfish(bmc: RedfishBMC) -> None:
    with (
        running_conductor(settings=OFTEN, drivers=impatient_drivers) as conductor,
        conductor.client(timeout_s=20) as client,
    ):
        client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
        assert client.nodes.power("n1", "power on").wait(timeout_s=20).state == "succeeded"
        assert set(client.status().drivers) == set(BUILT_IN)


def test_a_task_that_a_bmc_makes_of_power_on_is_followed_and_its_failure_told(
    bmc: RedfishBMC, castiron_client: Client
) -> None:
    castiron_client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
    bmc.next(becomes_a_task((204, None), looks=3, does={"ResetType": "On"}), "POST", RESET)
    assert castiron_client.nodes.power("n1", "power on").wait(timeout_s=20).state == "succeeded"
    assert bmc.controls == ["On"]

    failed = {"TaskState": "Exception", "Messages": [{"MessageId": "Base.1.18.ResourceAtUriInUnknownFormat"}]}
    bmc.next(becomes_a_task((200, failed), looks=1), "POST", RESET, count=10)
    request = castiron_client.nodes.power("n1", "power off", timeout_s=3).wait(timeout_s=20)

    assert request.state == "failed"
    assert "ResourceAtUriInUnknownFormat" in str(request.view.error)


def test_a_bmc_that_falls_silent_costs_its_own_node_and_is_asked_less_and_less(
    bmc: RedfishBMC, castiron_client: Client
) -> None:
    with running_redfish_bmc() as silent:
        for name, each in (("n1", bmc), ("n2", silent)):
            castiron_client.nodes.create(name, driver="redfish", driver_info=each.driver_info)
        until(lambda: silent.count("GET", SYSTEM) >= 1)
        silent.next(hang, count=1000)
        until(lambda: castiron_client.nodes.show("n2").power_check_failures >= 1)
        before = bmc.count("GET", SYSTEM)

        until(lambda: bmc.count("GET", SYSTEM) >= before + 10)

        assert castiron_client.nodes.show("n1").power_check_failures == 0
        assert castiron_client.nodes.power("n1", "power on").wait(timeout_s=20).state == "succeeded"
        assert bmc.most_at_once == 1
        silent.released.set()


def test_sessions_are_deleted_with_their_node_with_its_password_and_with_the_conductor(bmc: RedfishBMC) -> None:
    bmc.users["second"] = "word"
    with running_redfish_bmc() as other, running_conductor(settings=OFTEN) as conductor:
        with conductor.client(timeout_s=20) as client:
            for name, each in (("n1", bmc), ("n2", other)):
                client.nodes.create(name, driver="redfish", driver_info=each.driver_info)
            until(lambda: len(bmc.sessions) == len(other.sessions) == 1)

            client.nodes.delete("n2")
            until(lambda: not other.sessions)

            client.nodes.set("n1", driver_info={"redfish_username": "second", "redfish_password": "word"})
            until(lambda: bmc.logins == 2 and len(bmc.sessions) == 1)
        conductor.stop()
        assert bmc.sessions == {}


def test_a_password_is_masked_and_a_wrong_one_is_told_without_it(bmc: RedfishBMC, castiron_client: Client) -> None:
    castiron_client.nodes.create("n1", driver="redfish", driver_info={**bmc.driver_info, "redfish_password": "h0rse"})

    request = castiron_client.nodes.power("n1", "power on").wait(timeout_s=20)

    assert request.state == "failed"
    assert (request.view.error or {})["code"] == "bmc.credentials"
    told = str(request.view) + str(castiron_client.nodes.show("n1"))
    assert "h0rse" not in told
    assert "******" in told


def test_a_password_is_changed_at_the_bmc_and_on_record(bmc: RedfishBMC, castiron_client: Client) -> None:
    castiron_client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
    assert castiron_client.provision.set("n1", "manage").wait(timeout_s=20).state == "succeeded"

    step: dict[str, Any] = {"interface": "management", "step": "change_bmc_password", "args": {"generate": True}}
    request = castiron_client.provision.set("n1", "clean", steps=[step]).wait(timeout_s=20)

    assert request.state == "succeeded", request.view
    assert bmc.users["admin"] != "password"
    before = bmc.count("GET", SYSTEM)
    bmc.expire_sessions()
    until(lambda: bmc.count("GET", SYSTEM) > before + 3)
    assert castiron_client.nodes.show("n1").power_check_failures == 0


def test_the_lamp_is_lit_by_a_step_that_says_nothing_more_until_another_puts_it_out(
    bmc: RedfishBMC, castiron_client: Client
) -> None:
    castiron_client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
    castiron_client.provision.set("n1", "manage").wait(timeout_s=20).raise_for_error()

    castiron_client.provision.set("n1", "clean", steps=["management.identify"]).wait(timeout_s=20).raise_for_error()
    assert bmc.lamp == "Lit"

    out = {"interface": "management", "step": "identify", "args": {"duration_s": 0}}
    castiron_client.provision.set("n1", "clean", steps=[out]).wait(timeout_s=20).raise_for_error()
    assert bmc.lamp == "Off"
