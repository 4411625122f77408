"""What is no actor: the supervisor, the clock, and every thread that counts its work."""

import threading

import pykka
import pytest

from castiron.actors.supervision.supervisor import SupervisorActor
from castiron.testing import running_conductor
from tests.faults.supervision.house import House
from tests.support.deadline import until


def test_a_supervisor_that_is_gone_makes_the_conductor_give_up_and_say_so(house: House) -> None:
    house.with_nodes()

    for ref in pykka.ActorRegistry.get_by_class(SupervisorActor):
        ref.stop()

    assert house.conductor.wait(timeout_s=5)
    assert house.conductor.failure == "the supervisor was stopped"


def test_a_clock_that_hangs_is_named_shown_and_forgotten_when_it_goes_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    client = house.with_nodes()
    opened = threading.Event()
    clock = house.driver._fake._clock

    clock.call_at(clock.now(), lambda: stand_still(opened))
    until(lambda: client.status().threads["clock"] == "hung")
    opened.set()
    until(lambda: client.status().threads["clock"] == "alive")

    (named,) = [record.message for record in caplog.records if "hangs" in record.message]
    assert named.startswith("the clock hangs for ")
    assert "stand_still" in named
    assert "the clock goes on" in caplog.text
    assert (client.status().actors["threads_hung_ever"], house.conductor.failure) == (1, None)
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"


def stand_still(opened: threading.Event) -> None:
    opened.wait(20)


def test_every_thread_of_a_conductor_counts_its_work() -> None:
    with running_conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="ipmi", driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 9})
        client.nodes.create("n2", driver="fake")
        client.nodes.power("n1", "power on")
        client.nodes.power("n2", "power on").wait(timeout_s=5)
        client.nodes.history("n2")
        assert conductor._watch is not None
        parts = conductor._watch._heartbeats._parts

        assert set(parts) == {"clock", "store writer", "archive", "front door", "ipmi driver"}
        for part in parts.values():
            assert part.beats() > 0
            until(lambda part=part: part.beats() % 2 == 0)  # type: ignore[misc]  # a default binds the loop's value
            assert part.thread is not None
