"""The engine in virtual time, against the farm's BMCs without their sockets: every instant and datagram is exact."""

from collections.abc import Callable
from typing import Any

import pytest

from castiron.actors.drivers.base import Call, GetPower, NotDone, Outcome, Target
from castiron.actors.drivers.ipmi.sessions.link import Link
from castiron.testing.bmc import Device, controller
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session
from castiron.transport.errors import BMCFault, BMCUnreachable
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, PowerState
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, Lab


def test_a_check_in_an_open_session_is_one_datagram_each_way(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    sent, received = lab.counted("sent"), lab.counted("received")

    assert lab.ask(GetPower()) is PowerState.OFF

    assert (lab.counted("sent"), lab.counted("received")) == (sent + 1, received + 1)
    assert lab.counted("logins") == lab.counted("sessions") == 1


def test_nobody_there_is_asked_three_times_and_told_unreachable(lab: Lab) -> None:
    begun = lab.clock.now()
    ticket = lab.submit(ON)

    lab.wait(SILENCE_S - 0.01)
    assert not ticket.outcomes
    lab.wait(0.02)

    failure = ticket.failure()
    assert isinstance(failure.error, BMCUnreachable)
    assert failure.applied is Applied.NO
    assert failure.error.details == {"node": "127.0.0.1", "address": "127.0.0.1:623"}
    assert [round(at - begun, 3) for at, _, _ in lab.network.sent] == [0, 1, 3]


def test_a_receiver_that_raises_harms_nobody_else(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.bmc()

    def refuse(_: Outcome) -> None:
        raise RuntimeError("a receiver's bug")

    target = lab.caller.target({"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_password": "secret"}, "n")
    lab.driver.submit(Call(target=target, operation=GetPower(), deadline=Instant(lab.clock.now() + 5)), refuse)
    after = lab.caller.submit(target, GetPower())
    lab.wait(1)

    assert after.value() is PowerState.OFF
    assert "a receiver's bug" in caplog.text
    assert "secret" not in caplog.text


def test_driver_info_that_was_never_checked_is_an_outcome_and_not_an_exception(lab: Lab) -> None:
    tickets: list[Outcome] = []
    target = Target(node=NodeUUID("n"), generation=1, info={"ipmi_address": "127.0.0.1", "ipmi_port": "secret"})

    lab.driver.submit(Call(target=target, operation=ON, deadline=Instant(lab.clock.now() + 5)), tickets.append)
    lab.wait(0)

    assert isinstance(tickets[0], NotDone)
    assert isinstance(tickets[0].error, BMCFault)
    assert tickets[0].applied is Applied.NO
    assert "secret" not in str(tickets[0].error)


def test_an_answer_that_cannot_be_read_is_a_fault_of_the_bmc(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.bmc()
    lab.ask(GetPower())

    def be_brief(_device: Device, _session: Session, _message: Message, _now: float) -> bytes:
        return b"\x00\x01"

    monkeypatch.setattr(controller, "execute", be_brief)

    ticket = lab.submit(GetPower())
    lab.wait(1)

    assert isinstance(ticket.failure().error, BMCFault)
    assert lab.counted("logins") == 1


def test_a_fault_of_ours_at_one_bmc_ends_its_calls_and_no_others(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.bmc("127.0.0.1")
    lab.bmc("127.0.0.2")
    granted: Callable[[Link], None] = Link.granted

    def fail_once(link: Link) -> None:
        monkeypatch.setattr(Link, "granted", granted)
        raise RuntimeError("a bug")

    monkeypatch.setattr(Link, "granted", fail_once)
    first, second = lab.submit(GetPower(), "127.0.0.1"), lab.submit(GetPower(), "127.0.0.2")
    lab.wait(1)

    assert isinstance(first.failure().error, BMCFault)
    assert second.value() is PowerState.OFF
    assert "a bug" in caplog.text
    assert lab.ask(GetPower()) is PowerState.OFF


def test_the_same_seed_sends_the_same_requests_at_the_same_instants() -> None:
    def story() -> list[tuple[float, Any, int]]:
        lab = Lab()
        for index in range(1, 6):
            lab.bmc(f"127.0.0.{index}")
        for turn in range(3):
            for index in range(1, 8):
                lab.submit(GetPower() if turn else ON, f"127.0.0.{index}")
            lab.wait(30)
        return [(at, to, len(datagram)) for at, to, datagram in lab.network.sent]

    assert story() == story()
