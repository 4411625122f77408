"""What a login leaves behind, whatever came of it: nothing that only the garbage collector would find.

It stops every thread for as long as it looks, so that silent strangers would delay whoever asks for something else.
"""

import gc
from collections.abc import Callable, Generator

import pytest

from castiron.actors.drivers.base import GetPower
from castiron.actors.drivers.ipmi.sessions.session import Session
from castiron.testing.bmc import Privilege
from tests.unit.actors.drivers.ipmi.lab import SILENCE_S, Lab


@pytest.fixture(autouse=True)
def _uncollected() -> Generator[None]:  # pyright: ignore[reportUnusedFunction] - pytest's
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def sessions() -> int:
    return sum(isinstance(thing, Session) for thing in gc.get_objects())


def silent(lab: Lab) -> None:
    del lab


def silent_in_a_login(lab: Lab) -> None:
    lab.bmc()
    lab.network.is_lost = lambda datagram: datagram[5] & 0x3F == 0x12  # RAKP message 1


def with_another_key(lab: Lab) -> None:
    lab.bmc(k_g=b"another key")


def with_less_privilege(lab: Lab) -> None:
    lab.bmc(privilege=Privilege.USER)


def cold(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    bmc.cold_reset()
    del lab.network.bmcs["127.0.0.1", 623]


@pytest.mark.parametrize("make", [silent, silent_in_a_login, with_another_key, with_less_privilege, cold])
def test_a_session_that_came_to_nothing_is_freed_at_once(lab: Lab, make: Callable[[Lab], None]) -> None:
    make(lab)
    before = lab.counted("logins_failed")
    tickets = [lab.submit(GetPower()) for _ in range(3)]
    lab.wait(3 * SILENCE_S + 60)

    assert lab.counted("logins_failed") > before
    assert all(ticket.failure() for ticket in tickets)
    assert sessions() == 0


def test_an_open_session_is_there_to_be_counted(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())

    assert sessions() == 1
