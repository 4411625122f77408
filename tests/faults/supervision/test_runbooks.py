"""The fleet's actor is stopped again and again while people change runbooks: nothing answered for is lost."""

import threading
from dataclasses import replace

import pykka
import pytest

from castiron.actors.fleet import FleetActor
from castiron.transport.vocabulary import EventType
from tests.faults.supervision.house import QUICK, House, insist


def test_runbooks_come_are_changed_and_go_whoever_keeps_them(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.with_nodes(replace(QUICK, restart_intensity=1000))  # no pauses
    stop = threading.Event()
    outcomes: list[str] = []
    rounds = [0, 0, 0]

    def churn(number: int) -> None:
        name, other = f"CUSTOM_A{number}", f"CUSTOM_B{number}"
        with house.conductor.client(timeout_s=10) as client:
            while not stop.is_set():
                outcomes.append(insist(lambda: client.runbooks.create(name, ["hold"])))
                outcomes.append(insist(lambda: client.runbooks.set(name, name=other, steps=["power_on"])))
                assert client.runbooks.show(other).revision == 2
                outcomes.append(insist(lambda: client.runbooks.delete(other)))
                rounds[number] += 1

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    for _ in range(30):
        for ref in pykka.ActorRegistry.get_by_class(FleetActor):
            ref.stop(block=False)
        pause.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert set(outcomes) == {"ok"}
    assert caplog.text.count("the fleet's actor failed (it was stopped); it is replaced") >= 20
    with house.conductor.client() as client:
        assert client.runbooks.list() == []
        for number in range(3):
            client.runbooks.create(f"CUSTOM_A{number}", ["hold"])  # every name is free
    told = [event.draft.type for event in house.audit().events]
    assert told.count(EventType.RUNBOOK_DELETE_END) == sum(rounds) > 3
    assert told.count(EventType.RUNBOOK_CREATE_END) == sum(rounds) + 3
