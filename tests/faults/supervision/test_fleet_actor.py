"""The fleet's actor fails, or a plug-in in it: it is replaced, again and again, and the nodes go on."""

import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pykka
import pytest

from castiron.actors.core.state import NodeState
from castiron.actors.fleet import FleetActor
from castiron.actors.supervision.nursery import Nursery
from castiron.transport.errors import ConductorOverloaded, InternalError
from castiron.transport.vocabulary import Applied, EventSeq
from tests.faults.supervision.house import QUICK, House, insist


def test_a_plug_in_that_fails_at_checking_costs_one_answer_and_not_the_fleet(house: House) -> None:
    client = house.with_nodes()

    def check_bug(_: object) -> None:
        raise ZeroDivisionError

    house.driver.check_bug = check_bug
    with pytest.raises(InternalError):
        client.nodes.create("n4", driver="fake")
    house.driver.check_bug = lambda _: None

    assert client.nodes.create("n4", driver="fake").name == "n4"
    assert client.nodes.set("n1", name="n5").name == "n5"
    assert client.nodes.create("n1", driver="fake").name == "n1"
    house.audit()


def jam(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have nodes' actors fail to start, so many times."""
    raise_node, left = Nursery.raise_node, [times]

    def jammed(nursery: Nursery, state: NodeState, seq: EventSeq, **how: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryError("no room for another actor")
        raise_node(nursery, state, seq, **how)

    monkeypatch.setattr(Nursery, "raise_node", jammed)


def test_a_node_that_is_on_disk_is_made_known_though_the_fleets_actor_fails_at_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.with_nodes()
    jam(monkeypatch, 1)

    assert client.nodes.create("n4", driver="fake").name == "n4"

    assert client.nodes.power("n4", "power on").wait(timeout_s=5).state == "succeeded"
    assert client.status().actors["fleet_restarts"] == 1
    house.audit()


def test_a_node_at_which_the_fleets_actor_fails_again_costs_one_answer_and_is_there_after_a_restart(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.with_nodes()
    jam(monkeypatch, 2)

    with pytest.raises(InternalError) as told:
        client.nodes.create("n4", driver="fake")

    assert told.value.applied == Applied.UNKNOWN
    assert client.nodes.create("n5", driver="fake").name == "n5"
    house.close()
    assert {node.name for node in house.open().nodes.list()} == {"n1", "n2", "n3", "n4", "n5"}
    house.audit()


def test_the_fleets_actor_is_replaced_again_and_again_while_nodes_come_go_and_are_renamed(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.with_nodes(replace(QUICK, restart_intensity=1000))  # no pauses
    stop = threading.Event()
    outcomes: list[str] = []

    def churn(number: int) -> None:
        name, other = f"c{number}", f"d{number}"
        with house.conductor.client(timeout_s=10) as client:
            while not stop.is_set():
                outcomes.append(insist(lambda: client.nodes.create(name, driver="fake")))
                outcomes.append(insist(lambda: client.nodes.set(name, name=other)))
                outcomes.append(insist(lambda: client.nodes.delete(other)))

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
    assert len(outcomes) > 30
    assert set(outcomes) == {"ok"}
    assert caplog.text.count("the fleet's actor failed (it was stopped); it is replaced") >= 20
    with house.conductor.client() as client:
        assert {node.name for node in client.nodes.list()} == {"n1", "n2", "n3"}
        for number in range(3):
            for name in (f"c{number}", f"d{number}"):
                client.nodes.create(name, driver="fake")  # every name is free
    house.audit()


def test_a_fleets_actor_that_keeps_failing_is_replaced_more_and_more_rarely_and_the_nodes_go_on(house: House) -> None:
    client = house.with_nodes()

    def check_bug(_: object) -> None:
        raise ZeroDivisionError

    house.driver.check_bug = check_bug
    answers: Counter[str] = Counter()
    began = time.monotonic()
    while answers["conductor.overloaded"] < 20:
        with pytest.raises((InternalError, ConductorOverloaded)) as caught:
            client.nodes.create("n4", driver="fake")
        answers[caught.value.code] += 1
        assert isinstance(caught.value, InternalError) or caught.value.retry_after_s is not None
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"
    restarts, took_s = client.status().actors["fleet_restarts"], time.monotonic() - began
    house.driver.check_bug = lambda _: None

    assert QUICK.restart_intensity <= restarts <= QUICK.restart_intensity + 3 + took_s / QUICK.restart_delay_max_s
    assert insist(lambda: client.nodes.create("n4", driver="fake")) == "ok"
    assert insist(lambda: client.nodes.set("n1", name="n5")) == "ok"
    assert house.conductor.failure is None
    house.audit()
