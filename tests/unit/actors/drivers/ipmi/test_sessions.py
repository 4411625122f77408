"""Sessions: reads in them, how they stay open, and who ends them."""

from castiron.actors.drivers.base import GetPower
from castiron.transport.errors import BMCFault, BMCUnreachable
from castiron.transport.vocabulary import Applied, NodeUUID, PowerState
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, STEADY, Lab


def test_a_read_is_sent_again_with_the_same_request_number_and_a_new_sequence_number(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    answering = lab.network.bmcs.pop(("127.0.0.1", 623))
    ticket = lab.submit(GetPower())
    lab.wait(0.5)
    lab.network.bmcs["127.0.0.1", 623] = answering
    lab.wait(1)

    assert ticket.value() is PowerState.OFF
    first, second = lab.sealed()[-2:]
    assert int.from_bytes(second[10:14], "little") == int.from_bytes(first[10:14], "little") + 1
    assert lab.counted("logins") == 1


def test_a_read_in_a_forgotten_session_succeeds_once_through_a_fresh_login(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    bmc.cold_reset()

    ticket = lab.submit(GetPower())
    lab.wait(SILENCE_S + 1)

    assert ticket.value() is PowerState.OFF
    assert lab.counted("logins") == 2
    assert len(ticket.outcomes) == 1


def test_a_read_is_repeated_only_once(lab: Lab) -> None:
    lab.bmc()
    since_login: list[bytes] = []

    def hears_logins_only(datagram: bytes) -> bool:
        if datagram[5] != 0xC0:
            since_login.clear()
            return False
        since_login.append(datagram)
        return len(since_login) > 1  # the first sealed one sets the privilege level

    lab.network.is_lost = hears_logins_only
    ticket = lab.submit(GetPower(), deadline_s=100)
    lab.wait(60)

    assert isinstance(ticket.failure().error, BMCUnreachable)
    assert ticket.failure().applied is Applied.NO
    assert lab.counted("logins") == 2


def test_an_idle_session_is_kept_alive_for_as_long_as_nothing_is_asked(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    commands = bmc.device.command_count

    lab.wait(600)

    assert bmc.device.command_count == commands + 20  # 601 s at one in 30 s
    assert lab.ask(GetPower()) is PowerState.OFF
    assert lab.counted("logins") == 1


def test_a_session_that_dies_while_idle_costs_nobody_anything_until_the_next_call(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    bmc.cold_reset()

    lab.wait(STEADY.keepalive_s + SILENCE_S)

    assert lab.counted("sessions") == 0
    assert lab.ask(GetPower()) is PowerState.OFF
    assert lab.counted("logins") == 2


def test_a_session_on_demand_is_closed_when_nothing_waits(lab: Lab) -> None:
    bmc = lab.bmc(session_slots=1)
    tickets = [lab.submit(GetPower(), ipmi_session="on_demand") for _ in range(3)]
    lab.wait(1)

    assert [ticket.value() for ticket in tickets] == [PowerState.OFF] * 3
    assert bmc.device.login_count == 1
    assert bmc.device.sessions.established(lab.clock.now()) == []

    lab.ask(GetPower(), ipmi_session="on_demand")
    assert bmc.device.login_count == 2


def test_newer_driver_info_replaces_the_session_and_ends_what_waited(lab: Lab) -> None:
    old, new = lab.bmc("127.0.0.1"), lab.bmc("127.0.0.2")
    lab.ask(GetPower(), node="n")
    lab.network.is_lost = lambda _: True
    under_way = lab.submit(GetPower(), node="n")
    waiting = lab.submit(ON, node="n")
    lab.wait(0.1)
    lab.network.is_lost = lambda _: False

    moved = lab.submit(GetPower(), "127.0.0.2", node="n", generation=2)
    lab.wait(0.1)

    assert isinstance(under_way.failure().error, BMCFault)
    assert isinstance(waiting.failure().error, BMCFault)
    assert moved.value() is PowerState.OFF
    assert len(new.device.sessions.established(lab.clock.now())) == 1
    assert old.device.sessions.established(lab.clock.now()) == []


def test_a_new_owner_with_the_same_driver_info_keeps_the_session(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower(), generation=1)

    assert lab.ask(GetPower(), generation=2) is PowerState.OFF

    assert lab.counted("logins") == 1


def test_stopping_logs_out_of_every_bmc(lab: Lab) -> None:
    bmcs = [lab.bmc(f"127.0.0.{index}") for index in range(1, 6)]
    for index in range(1, 6):
        lab.submit(GetPower(), f"127.0.0.{index}")
    lab.wait(1)

    lab.driver.stop(1)
    lab.wait(1)

    assert [bmc.device.sessions.established(lab.clock.now()) for bmc in bmcs] == [[]] * 5
    assert lab.counted("sessions") == 0


def test_a_logout_that_is_not_answered_is_sent_twice_and_given_up(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    sealed = len(lab.sealed())
    lab.network.bmcs.clear()

    lab.driver.forget(NodeUUID("127.0.0.1"))
    lab.wait(sum(STEADY.close_waits_s) + 0.1)

    assert len(lab.sealed()) == sealed + 2
    lab.wait(STEADY.keepalive_s)
    assert lab.clock.next_at() is None
