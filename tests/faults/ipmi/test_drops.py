"""Each datagram that is no answer is counted by the reason why, exactly, and changes nothing else."""

import socket
from collections.abc import Callable, Iterator, Mapping

import pytest

from castiron.actors.drivers.base import GetPower, Target
from castiron.actors.drivers.ipmi.sessions.drops import Drop
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing import BMCFarm, Faults, Forgery
from castiron.testing.bmc.faults import CommandKind, Refusal
from castiron.transport.vocabulary import PowerState
from tests.faults.ipmi.drivers import Start, through
from tests.support.driver_calls import Caller
from tests.support.relay import Relay, pass_on, running_relay

REASONS = ("stray", "stray_noise", *Drop)


class Tapped:
    """A session whose answers are known, and one beside it whose are, too."""

    def __init__(self, caller: Caller, farm: BMCFarm, relays: list[Relay]) -> None:
        self.caller = caller
        self.relay = relays[0]
        self.heard: list[list[bytes]] = [[], []]
        self.targets: list[Target] = []
        for number, relay in enumerate(relays):
            relay.judge_answer = self._tap(self.heard[number])
            self.targets.append(caller.target(through(relay, farm[number].driver_info), f"n{number}"))
            self.read(number)
            self.read(number)

    def read(self, number: int = 0) -> None:
        """Ask a BMC, in the session that it has."""
        assert self.caller.submit(self.targets[number], GetPower()).value() is PowerState.OFF

    def counts(self) -> Mapping[str, int]:
        """Return what was not taken so far, by reason."""
        counters = self.caller.driver.counters()
        return {name: counters[name] for name in REASONS}

    def _tap(self, into: list[bytes]) -> Callable[[bytes], list[bytes]]:
        def tap(datagram: bytes) -> list[bytes]:
            into.append(datagram)
            return pass_on(datagram)

        return tap


@pytest.fixture
def tapped(start: Start, farm: BMCFarm) -> Iterator[Tapped]:
    with running_relay((farm[0].address, farm.port)) as one, running_relay((farm[1].address, farm.port)) as other:
        yield Tapped(start(timing=Timing(close_waits_s=(0.05,))), farm, [one, other])


def bent(datagram: bytes, at: int) -> bytes:
    return datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1 :]


BAD: dict[str, tuple[Callable[[Tapped], bytes], str]] = {
    "cut in its body": (lambda tapped: tapped.heard[0][-1][:-40], Drop.SHORT),
    "cut in its proof": (lambda tapped: tapped.heard[0][-1][:-8], Drop.SHORT),
    "bent proof": (lambda tapped: bent(tapped.heard[0][-1], -1), Drop.FORGED),
    "bent body": (lambda tapped: bent(tapped.heard[0][-1], 40), Drop.FORGED),
    "no proof": (lambda tapped: bent(tapped.heard[0][-1], 5)[:5] + b"\0" + tapped.heard[0][-1][6:], Drop.FORGED),
    "of another BMC's session": (lambda tapped: tapped.heard[1][-1], Drop.SESSION),
    "bent session id": (lambda tapped: bent(tapped.heard[0][-1], 6), Drop.SESSION),
    "the same once more": (lambda tapped: tapped.heard[0][-1], Drop.SEQUENCE),
    "an older one": (lambda tapped: tapped.heard[0][-2], Drop.SEQUENCE),
    "a step of its own login": (lambda tapped: tapped.heard[0][1], Drop.UNASKED),
    "a step of another's login": (lambda tapped: tapped.heard[1][1], Drop.SESSION),
    "an answer to the probe": (lambda tapped: tapped.heard[0][0], Drop.FORGED),
    "serial over LAN": (lambda tapped: bent(tapped.heard[0][-1], 5), Drop.UNASKED),
    "noise": (lambda _: b"SSH-2.0-OpenSSH_9.2p1 Debian", "stray_noise"),
    "nothing": (lambda _: b"", "stray_noise"),
}


@pytest.mark.parametrize(("make", "reason"), BAD.values(), ids=list(BAD))
def test_what_is_no_answer_is_counted_by_its_reason(
    tapped: Tapped, make: Callable[[Tapped], bytes], reason: str
) -> None:
    before = tapped.counts()

    for _ in range(3):
        tapped.relay.inject(make(tapped))
        tapped.read()  # its answer comes after what was injected

    expected = {name: count + 3 * (name == reason) for name, count in before.items()}
    if reason == "stray_noise":
        expected["stray"] += 3
    assert tapped.counts() == expected
    counters = tapped.caller.driver.counters()
    assert counters["dropped"] == sum(counters[each] for each in Drop)
    assert (counters["logins"], counters["retransmitted"]) == (2, 0)


def test_an_answer_from_another_port_or_address_is_nobody_s(tapped: Tapped) -> None:
    assert tapped.relay.client is not None
    for host in ("127.0.0.1", "127.0.0.77"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((host, 0))
            stranger.sendto(tapped.heard[0][-1], tapped.relay.client)
        tapped.read()

    assert tapped.counts() == {**dict.fromkeys(REASONS, 0), "stray": 2}


@pytest.mark.parametrize(
    ("forgery", "reason"),
    [(Forgery.REQUEST, Drop.UNASKED), (Forgery.SESSION, Drop.SESSION), (Forgery.INTEGRITY, Drop.FORGED)],
)
def test_what_a_bmc_itself_forges_is_counted_by_its_reason(
    start: Start, farm: BMCFarm, forgery: Forgery, reason: Drop
) -> None:
    caller = start()
    target = caller.target(farm[0].driver_info)
    caller.submit(target, GetPower()).value()

    farm[0].set_faults(Faults(forgeries=(forgery,)))
    caller.submit(target, GetPower(), 0.3).failure()

    counters = caller.driver.counters()
    assert counters[reason] > 0
    assert counters["dropped"] == counters[reason]


def test_a_refusal_is_an_answer(start: Start, farm: BMCFarm) -> None:
    caller = start()
    farm[0].set_faults(Faults(refusal=Refusal(kind=CommandKind.STATUS)))

    assert caller.submit(caller.target(farm[0].driver_info), GetPower()).failure().error.code == "bmc.busy"

    assert caller.driver.counters()["dropped"] == 0
