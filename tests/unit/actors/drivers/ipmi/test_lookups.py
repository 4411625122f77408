"""Names of BMCs: when they are looked up, and what becomes of the answer."""

import socket

from castiron.actors.drivers.base import GetPower
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.transport.errors import (
    BMCUnreachable,
)
from castiron.transport.vocabulary import PowerState
from tests.unit.actors.drivers.ipmi.lab import SILENCE_S, Lab


def test_a_name_that_resolves_is_asked_for_once_and_used() -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, ("127.0.0.7", port))]

    named = Lab(lookup=lookup)
    named.bmc("127.0.0.7")

    assert [named.ask(GetPower(), host="bmc.example") for _ in range(3)] == [PowerState.OFF] * 3
    assert asked == ["bmc.example"]
    assert named.counted("resolved") == 1


def test_a_name_is_looked_up_again_when_nobody_answers_at_its_address() -> None:
    places = ["127.0.0.8", "127.0.0.7"]

    def lookup(_: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (places.pop(0), port))]

    lab = Lab(lookup=lookup)
    lab.bmc("127.0.0.7")
    first = lab.submit(GetPower(), "bmc.example")
    lab.wait(SILENCE_S + 0.1)

    assert isinstance(first.failure().error, BMCUnreachable)
    assert lab.ask(GetPower(), host="bmc.example") is PowerState.OFF


def test_a_name_that_does_not_resolve_costs_its_node_only(lab: Lab) -> None:
    lab.bmc()
    unknown, known = lab.submit(GetPower(), "nobody.example"), lab.submit(GetPower())
    lab.wait(1)

    assert isinstance(unknown.failure().error, BMCUnreachable)
    assert known.value() is PowerState.OFF


def test_a_second_address_of_a_name_is_tried_when_the_first_is_silent() -> None:
    def lookup(_: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (f"127.0.0.{last}", port)) for last in (8, 7)]

    lab = Lab(lookup=lookup)
    lab.bmc("127.0.0.7")

    ticket = lab.submit(GetPower(), "bmc.example")
    lab.wait(2)

    assert ticket.value() is PowerState.OFF
