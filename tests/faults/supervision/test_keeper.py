"""Whoever keeps allocations fails, again and again: it is replaced, nothing is lost, and the nodes go on."""

import threading
from dataclasses import replace

import pykka
import pytest

from castiron.actors.allocations.keeper import Keeper
from castiron.store.checkup import check
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import InternalError
from castiron.transport.vocabulary import AllocationState
from tests.faults.supervision.house import QUICK, House, insist

PATIENT = replace(QUICK, restart_intensity=1000, sync_power_state_interval_s=0.0)


def fail_at_it(*_: object) -> None:
    raise ZeroDivisionError


def furnish(client: Client, count: int) -> None:
    names = [f"m{number}" for number in range(count)]
    for name in names:
        client.nodes.create(name, driver="fake", resource_class="baremetal")
    for target in ("manage", "provide"):
        for request in [client.provision.set(name, target) for name in names]:
            assert request.wait(30).state == "succeeded"


def test_it_is_stopped_again_and_again_while_nodes_are_allocated_and_given_back(house: House) -> None:
    client = house.open(PATIENT)
    furnish(client, 6)
    stop, ended = threading.Event(), list[str]()

    def churn() -> None:
        with house.conductor.client(timeout_s=10) as own:
            while not stop.is_set():
                held = own.allocations.create("baremetal", timeout_s=30).wait(30)
                ended.extend((held.state.value, insist(held.delete)))

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    for _ in range(20):
        for ref in pykka.ActorRegistry.get_by_class(Keeper):
            ref.stop(block=False)
        pause.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join(40)

    assert not any(thread.is_alive() for thread in threads)
    assert set(ended) == {"active", "ok"}
    assert client.status().actors["keeper_restarts"] >= 10
    assert client.allocations.list() == []
    held = [client.allocations.create("baremetal").wait(20) for _ in range(6)]
    assert {one.state for one in held} == {AllocationState.ACTIVE}
    house.audit_numbers()
    assert check(house.path, None).findings == []


def test_what_it_fails_at_is_answered_and_everything_else_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.open(PATIENT)
    furnish(client, 2)
    waiting = client.allocations.create("baremetal", traits=["CUSTOM_LATER"], timeout_s=500)

    with monkeypatch.context() as bug:
        bug.setattr(Keeper, "_set", fail_at_it)
        with pytest.raises(InternalError):
            client.allocations.set(waiting.uuid, name="broken")

    assert client.allocations.set(waiting.uuid, name="whole").view.name == "whole"
    client.nodes.set("m1", traits=["CUSTOM_LATER"])
    assert waiting.wait(20).state == "active"
