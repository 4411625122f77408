"""The ipmi driver over real UDP, when strangers send what they like."""

import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from castiron.actors.drivers.base import GetPower
from castiron.actors.drivers.ipmi.sessions.channel import Channel
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing import BMCFarm
from castiron.transport.vocabulary import PowerState
from tests.faults.ipmi.drivers import Start, through
from tests.support.driver_calls import Caller
from tests.support.relay import Relay, running_relay


class Hostile:
    """A healthy session next to one whose network belongs to somebody else."""

    def __init__(self, caller: Caller, farm: BMCFarm, relay: Relay) -> None:
        self.caller = caller
        self.relay = relay
        self.healthy = caller.target(farm[0].driver_info, "healthy")
        self.attacked = caller.target(through(relay, farm[1].driver_info), "attacked")
        caller.submit(self.healthy, GetPower()).value()

    def counted(self, name: str) -> int:
        return self.caller.driver.counters()[name]

    def check_both(self) -> None:
        assert self.caller.submit(self.attacked, GetPower()).value() is PowerState.OFF
        assert self.caller.submit(self.healthy, GetPower()).value() is PowerState.OFF
        assert self.caller.driver.is_alive()


@pytest.fixture
def hostile(start: Start, farm: BMCFarm) -> Iterator[Hostile]:
    with running_relay((farm[1].address, farm.port)) as relay:
        yield Hostile(start(timing=Timing(close_waits_s=(0.05,))), farm, relay)


def test_truncations_of_every_answer_change_nothing(hostile: Hostile) -> None:
    hostile.relay.judge_answer = lambda datagram: [
        *(datagram[:length] for length in range(len(datagram))),
        datagram,
    ]

    for _ in range(3):
        hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0
    assert hostile.counted("dropped") > 300
    assert hostile.counted("stray") > 100


def test_flipped_bits_inside_a_session_change_nothing(hostile: Hostile) -> None:
    hostile.check_both()

    def flip(datagram: bytes) -> list[bytes]:
        flipped = [bytearray(datagram) for _ in range(len(datagram) * 8)]
        for bit, each in enumerate(flipped):
            each[bit // 8] ^= 1 << bit % 8
        # The second byte is reserved, and no part of what is authenticated.
        return [bytes(each) for bit, each in enumerate(flipped) if bit // 8 != 1] + [datagram]

    hostile.relay.judge_answer = flip
    hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0
    assert hostile.counted("dropped") + hostile.counted("stray") > 400


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_in_a_login_cost_that_login_at_most(hostile: Hostile, seed: int) -> None:
    rng = random.Random(seed)

    def flip(datagram: bytes) -> list[bytes]:
        flipped = bytearray(datagram)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        return [bytes(flipped), datagram]

    hostile.relay.judge_answer = flip
    hostile.caller.submit(hostile.attacked, GetPower(), deadline_s=2).outcome()
    hostile.relay.judge_answer = lambda datagram: [datagram]

    hostile.check_both()


def test_what_is_replayed_is_dropped(hostile: Hostile) -> None:
    heard: list[bytes] = []

    def replay(datagram: bytes) -> list[bytes]:
        heard.append(datagram)
        return [*heard, *heard]

    hostile.relay.judge_answer = replay
    for _ in range(5):
        hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0


def forgeries(session_id: bytes) -> list[bytes]:
    """Datagrams that somebody makes who knows no key."""
    v15 = b"\x06\x00\xff\x07\x00" + b"\xfe\xff\xff\xff" + b"\0\0\0\0" + b"\x08" + b"\x81\x1c\x63\x20\x00\x38\x00\xa8"
    v15_new = b"\x06\x00\xff\x07\x00" + b"\0" * 8 + b"\x08" + b"\x81\x1c\x63\x20\x00\x38\x00\xa8"
    md5 = b"\x06\x00\xff\x07\x02" + b"\xff" * 60
    plain = (
        b"\x06\x00\xff\x07\x06\x00"
        + session_id
        + b"\xff\xff\xff\x7f"
        + b"\x08\x00"
        + b"\x81\x04\x7b\x20\x04\x01\x00\xda"
    )
    signed = b"\x06\x00\xff\x07\x06\x40" + session_id + b"\xff\xff\xff\x7f" + b"\x08\x00" + b"\0" * 40
    sealed = b"\x06\x00\xff\x07\x06\xc0" + session_id + b"\xff\xff\xff\x7f" + b"\x20\x00" + b"\0" * 64
    sol = b"\x06\x00\xff\x07\x06\xc1" + session_id + b"\xff\xff\xff\x7f" + b"\x20\x00" + b"\0" * 64
    oem = b"\x06\x00\xff\x07\x06\xc2" + session_id + b"\0" * 64
    steps = [
        b"\x06\x00\xff\x07\x06" + bytes([kind]) + b"\0" * 8 + b"\x08\x00" + bytes([tag, status, 0, 0]) + session_id
        for kind in range(0x10, 0x16)
        for tag in range(0, 256, 5)
        for status in (0, 1, 0x0F)
    ]
    return [v15, v15_new, md5, plain, signed, sealed, sol, oem, *steps]


def test_forged_datagrams_neither_end_a_session_nor_move_its_window(hostile: Hostile) -> None:
    hostile.check_both()
    dropped = hostile.counted("dropped")

    sent = forgeries(b"\x01\x02\x03\x04")
    for datagram in sent:
        hostile.relay.inject(datagram)
    hostile.check_both()

    assert hostile.counted("dropped") == dropped + len(sent)
    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0


def test_forged_refusals_under_another_session_id_do_not_end_a_login(hostile: Hostile) -> None:
    refusals = [
        b"\x06\x00\xff\x07\x06" + bytes([kind]) + b"\0" * 8 + b"\x08\x00" + bytes([tag, 0x0D, 0, 0]) + b"\1\2\3\4"
        for kind in (0x11, 0x13, 0x15)
        for tag in range(256)
    ]
    hostile.relay.judge_answer = lambda datagram: [*refusals, datagram]

    hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("logins_failed") == 0


def test_a_forged_number_on_an_answer_to_the_probe_does_not_shut_out_the_true_one(hostile: Hostile) -> None:
    def number(datagram: bytes) -> list[bytes]:
        is_probes = datagram[4] == 0
        return [datagram[:5] + b"\xfe\xff\xff\x7f\x01\0\0\0" + datagram[13:], datagram] if is_probes else [datagram]

    hostile.relay.judge_answer = number

    hostile.check_both()

    assert hostile.counted("dropped_session") == 1
    assert (hostile.counted("logins"), hostile.counted("retransmitted")) == (2, 0)


def test_a_flood_of_garbage_is_counted_and_changes_nothing(hostile: Hostile) -> None:
    hostile.check_both()
    rng = random.Random(7)
    assert hostile.relay.client is not None

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(40):
            for _ in range(50):
                garbage = rng.randbytes(rng.randrange(120))
                stranger.sendto(garbage, ("127.0.0.1", hostile.relay.client[1]))
                hostile.relay.inject(b"\x06\x00\xff\x07" + garbage)
                hostile.relay.inject(garbage)
            hostile.check_both()

    assert hostile.counted("stray") > 2_000
    assert hostile.counted("dropped") > 500
    assert hostile.counted("logins") == 2


def test_an_answer_that_is_genuine_and_makes_no_sense_breaks_its_own_session_only(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.check_both()
    opened = Channel.open
    struck = threading.Event()

    def fail_once(channel: Channel, datagram: bytes) -> Any:
        if not struck.is_set():
            struck.set()
            raise IndexError("index out of range")
        return opened(channel, datagram)

    monkeypatch.setattr(Channel, "open", fail_once)
    ticket = hostile.caller.submit(hostile.attacked, GetPower())

    assert ticket.value() is PowerState.OFF  # once more, through a fresh login
    assert hostile.counted("logins") == 3
    hostile.check_both()
