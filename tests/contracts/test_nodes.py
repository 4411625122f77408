"""What happens to a whole conductor's nodes while requests are under way: rename, deletion, maintenance."""

import threading
from pathlib import Path

import pytest

from castiron.actors.conductor import Conductor
from castiron.testing import BMCFarm, Faults, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.errors import (
    ArgumentInvalid,
    NodeLocked,
    NodeNotFound,
    NodeRemoved,
    NodeStateInvalid,
    PowerOffDisabled,
)
from castiron.transport.vocabulary import Applied, RequestState
from tests.support.deadline import until

SILENT = Faults(silent=True)
PATIENCE_S = 20.0

pytestmark = pytest.mark.castiron(
    settings={"max_running_actions": 1, "sync_power_state_interval_s": 0.0}, stored=True, impatient=False
)


def under_way(client: Client, farm: BMCFarm) -> tuple[Request, Request]:
    """Ask n1, whose BMC is silent, and n2, which has to wait for it; return both requests."""
    farm[0].set_faults(SILENT)
    running = client.nodes.power("n1", "power on")
    until(lambda: client.requests.show(running.id).state == RequestState.RUNNING)
    return running, client.nodes.power("n2", "power on")


def told(client: Client, uuid: str) -> list[tuple[str, str | None]]:
    return [(event.type, event.node) for event in reversed(client.nodes.history(uuid))]


def test_a_node_is_renamed_under_a_running_request_and_one_that_waits(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    requests = under_way(castiron_client, bmc_farm)

    first, second = castiron_client.nodes.set("n1", name="x1"), castiron_client.nodes.set("n2", name="x2")
    bmc_farm[0].set_faults(Faults())
    ended = [castiron_client.requests.wait(request.id, PATIENCE_S) for request in requests]

    assert [one.state for one in ended] == ["succeeded", "succeeded"]
    assert [one.view.node for one in ended] == ["n1", "n2"]
    assert told(castiron_client, first.uuid)[1:] == [
        ("node.power_set.start", "n1"),
        ("node.update.end", "x1"),
        ("node.power_set.end", "x1"),
    ]
    assert told(castiron_client, second.uuid)[1:] == [
        ("node.update.end", "x2"),
        ("node.power_set.start", "x2"),
        ("node.power_set.end", "x2"),
    ]
    with pytest.raises(NodeNotFound):
        castiron_client.nodes.show("n1")


def test_what_waits_is_cancelled_and_told_when_its_node_is_deleted(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    _, waiting = under_way(castiron_client, bmc_farm)
    uuid = waiting.view.node_uuid
    heard: list[Request] = []

    def wait() -> None:
        with castiron_conductor.client() as other:
            heard.append(other.requests.wait(waiting.id, PATIENCE_S))

    thread = threading.Thread(target=wait)
    thread.start()
    castiron_client.nodes.delete("n2")
    thread.join(PATIENCE_S)

    (ended,) = heard
    assert ended.state == RequestState.CANCELLED
    with pytest.raises(NodeRemoved) as removed:
        ended.raise_for_error()
    assert removed.value.applied is Applied.NO
    assert [type_ for type_, _ in told(castiron_client, uuid)] == ["node.create.end", "node.delete.end"]
    assert bmc_farm[1].controls == []


def test_a_running_request_is_in_the_way_of_a_deletion_unless_it_is_forced(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    running, waiting = under_way(castiron_client, bmc_farm)
    uuid = running.view.node_uuid

    with pytest.raises(NodeLocked) as locked:
        castiron_client.nodes.delete("n1")
    assert locked.value.details["request"] == running.id
    castiron_client.nodes.delete("n1", force=True)

    ended = castiron_client.requests.wait(running.id, PATIENCE_S)
    assert ended.state == RequestState.FAILED
    assert ended.view.error is not None
    assert (ended.view.error["code"], ended.view.error["applied"]) == ("node.deleted", "no")
    assert [type_ for type_, _ in told(castiron_client, uuid)] == [
        "node.create.end",
        "node.power_set.start",
        "node.power_set.error",
        "node.delete.end",
    ]
    assert castiron_client.requests.wait(waiting.id, PATIENCE_S).state == "succeeded"  # its place was given back
    until(lambda: conductor_is_clean(castiron_client))
    again = castiron_client.nodes.create("n1", driver_info=bmc_farm[0].driver_info)
    assert again.uuid != uuid


def conductor_is_clean(client: Client) -> bool:
    status = client.status()
    return status.requests.open == 0 and status.requests.running == 0


def test_maintenance_is_set_while_a_request_runs_which_goes_on(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    running, _ = under_way(castiron_client, bmc_farm)

    castiron_client.nodes.set_maintenance("n1", reason="fan")
    castiron_client.nodes.set_maintenance("n1", reason="fan")
    bmc_farm[0].set_faults(Faults())

    assert castiron_client.requests.wait(running.id, PATIENCE_S).state == "succeeded"
    view = castiron_client.nodes.show("n1")
    assert (view.maintenance, view.maintenance_reason, view.fault) == (True, "fan", None)
    assert [type_ for type_, _ in told(castiron_client, view.uuid)].count("node.maintenance_set.end") == 1
    assert castiron_client.nodes.unset_maintenance("n1").maintenance is False


def test_maintenance_by_hand_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (False, True):
        with running_conductor(store=tmp_path / "again.db") as conductor, conductor.client() as client:
            if not expected:
                client.nodes.create("n1", driver="fake")
                client.nodes.set_maintenance("n1", reason="fan")
            view = client.nodes.show("n1")
            assert (view.maintenance, view.maintenance_reason) == (True, "fan")


def test_guards_and_locks_are_there_after_a_restart_and_refuse(tmp_path: Path) -> None:
    for is_first in (True, False):
        with running_conductor(store=tmp_path / "again.db") as conductor, conductor.client() as client:
            if is_first:
                client.nodes.create("n1", driver="fake", traits=["HW_NIC_SRIOV", "CUSTOM_A"], resource_class="metal")
                client.nodes.set("n1", disable_power_off=True, retired=True, retired_reason="old")
                client.guards.lock("n1", reason="fan")
            view = client.nodes.show("n1")
            assert (view.traits, view.resource_class) == (["CUSTOM_A", "HW_NIC_SRIOV"], "metal")
            assert (view.disable_power_off, view.retired, view.retired_reason) == (True, True, "old")
            assert view.lock is not None
            assert view.lock.reason == "fan"
            assert [one.name for one in client.nodes.list(where=["traits=CUSTOM_A", "lock.reason=fan"])] == ["n1"]
            with pytest.raises(PowerOffDisabled) as refused:
                client.nodes.power("n1", "rebooting")
            assert refused.value.details == {"node": "n1"}
            with pytest.raises(NodeStateInvalid):
                client.nodes.set("n1", protected=True)
            for trait in ("custom_a", "CUSTOM-A", "NONSENSE"):
                with pytest.raises(ArgumentInvalid):
                    client.nodes.set("n1", traits=[trait])
            types = [event.type for event in client.nodes.history("n1")]
            assert types.count("node.lock_set.end") == 1
            assert not any(type_.startswith("node.power_set") for type_ in types)
    with running_conductor(store=tmp_path / "again.db") as conductor, conductor.client() as client:
        assert client.guards.unlock("n1").lock is None


def test_nodes_are_chosen_by_what_they_are_and_never_by_a_secret(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    address = bmc_farm[1].driver_info["ipmi_address"]
    castiron_client.nodes.set("n1", properties={"rack": 1})

    assert [view.name for view in castiron_client.nodes.list(where=[f"driver_info.ipmi_address=={address}"])] == ["n2"]
    assert [view.name for view in castiron_client.nodes.list(["n1", "n2"], where=["properties.rack=1"])] == ["n1"]
    assert [view.name for view in castiron_client.nodes.list(sort="name", descending=True)] == ["n3", "n2", "n1"]
    for value in (bmc_farm[0].driver_info["ipmi_password"], "wrong", "null", "*"):
        with pytest.raises(ArgumentInvalid) as refused:
            castiron_client.nodes.list(where=[f"driver_info.ipmi_password={value}"])
        assert refused.value.details == {"path": "$.where[0].field"}


def test_a_wait_hears_of_what_others_bring_about(castiron_conductor: Conductor, castiron_client: Client) -> None:
    found: list[str] = []
    begun = threading.Event()

    def wait() -> None:
        with castiron_conductor.client() as other:
            views = other.nodes.wait_for(
                None, ["power_state=power on"], timeout_s=PATIENCE_S, progress=lambda _: begun.set()
            )
            found.extend(view.name for view in views)

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(PATIENCE_S)
    for name in ("n1", "n2", "n3"):
        castiron_client.nodes.power(name, "power on")
    thread.join(PATIENCE_S)

    assert found == ["n1", "n2", "n3"]
