"""Passwords that are changed, and logins beside a node's own session."""

import logging

import pytest

from castiron.actors.drivers.base import GetPower
from castiron.actors.drivers.operations import (
    ReadSensors,
    SetUserPassword,
    VerifyCredentials,
)
from castiron.testing.bmc import Answers
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCUnreachable
from castiron.transport.vocabulary import Applied, PowerState
from tests.unit.actors.drivers.ipmi.lab import HOST, Lab, aside, losing, many, slowly


class TestPasswords:
    def test_a_change_whose_answer_is_lost_is_unknown_and_the_new_one_can_be_found(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower())
        lab.network.bmcs[HOST, 623] = losing(bmc, lambda: bmc.device.password_of(b"admin") == b"another")

        ticket = lab.submit(SetUserPassword("admin", "another"))
        lab.wait(15)
        assert ticket.failure().applied is Applied.UNKNOWN

        lab.network.bmcs[HOST, 623] = bmc.receive
        new = aside(lab, "another")
        lab.wait(1)
        old = aside(lab)
        lab.wait(1)
        assert new.value() is None
        assert isinstance(old.failure().error, BMCCredentials)

    def test_a_bmc_that_drops_the_session_with_the_change_is_unknown(self, lab: Lab) -> None:
        """The fresh login goes with the old password, and is refused: that says much, and not for certain."""
        bmc = lab.bmc()
        lab.ask(GetPower())

        def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
            answers = bmc.receive(datagram, source, now)
            if bmc.device.password_of(b"admin") == b"another" and bmc.device.login_count == 1 and datagram[5] == 0xC0:
                bmc.device.sessions.clear()
                return []
            return answers

        lab.network.bmcs[HOST, 623] = receive
        ticket = lab.submit(SetUserPassword("admin", "another"))
        lab.wait(15)

        assert (type(ticket.failure().error), ticket.failure().applied) == (BMCCredentials, Applied.UNKNOWN)

    def test_a_password_is_nowhere_in_what_is_logged_or_told(self, lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        bmc = lab.bmc()
        lab.network.bmcs[HOST, 623] = losing(bmc, lambda: bmc.device.password_of(b"admin") == b"hunter2hunter2")

        tickets = [lab.submit(SetUserPassword("admin", "hunter2hunter2")), aside(lab, "hunter2hunter2")]
        lab.wait(20)

        assert "hunter2" not in caplog.text
        assert all("hunter2" not in repr(ticket.outcomes) for ticket in tickets)
        assert all("hunter2" not in str(ticket.failure().error.details) for ticket in tickets)


class TestAside:
    def test_the_nodes_session_stays_and_the_other_is_closed(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower())

        ticket = aside(lab)
        lab.wait(1)

        assert ticket.value() is None
        assert len(bmc.device.sessions.established(lab.clock.now())) == 1
        assert (lab.counted("sessions"), lab.counted("logins")) == (1, 2)
        assert lab.ask(GetPower()) is PowerState.OFF
        assert lab.counted("logins") == 2

    def test_it_does_not_wait_for_the_nodes_calls_nor_they_for_it(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.1)
        long = lab.submit(ReadSensors(), deadline_s=60)
        lab.wait(2)

        ticket = aside(lab)
        lab.wait(2)

        assert ticket.value() is None
        assert not long.outcomes

    def test_one_at_a_time_and_the_next_while_the_last_says_goodbye(self, lab: Lab) -> None:
        lab.network.bmcs[HOST, 623] = slowly(lab.bmc(), 0.1)
        first, second = aside(lab), aside(lab)
        lab.wait(0)
        assert isinstance(second.failure().error, BMCBusy)
        while not first.outcomes:
            lab.wait(0.01)

        third = aside(lab, "wrong")
        lab.wait(2)

        assert isinstance(third.failure().error, BMCCredentials)

    def test_nothing_is_kept_of_it(self, lab: Lab) -> None:
        lab.bmc()
        for password in ("secret", "wrong", "secret"):
            aside(lab, password)
            lab.wait(2)
        silent = lab.submit(VerifyCredentials({"ipmi_address": "127.0.0.9"}), host="127.0.0.9")
        lab.wait(20)

        assert isinstance(silent.failure().error, BMCUnreachable)
        assert (lab.counted("sessions"), lab.counted("waiting"), lab.counted("in_flight")) == (0, 0, 0)
        engine = lab.driver._engine
        assert (engine._visitors, engine._leaving) == ({}, set())

    def test_stopping_ends_it(self, lab: Lab) -> None:
        lab.bmc()
        ticket = aside(lab)
        lab.wait(0.001)

        lab.driver.stop(1)
        lab.wait(2)

        assert ticket.failure().applied is Applied.NO
        assert lab.driver._engine.is_finished
