"""What happens to a conductor from outside, from a seed, a turn at a time: ill BMCs, users, subscribers."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import zmq

from bench.misfits import Misfits
from bench.simulator import BMCs
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import PowerState

SUBSCRIBERS: Final = 8
"""At once, at the most; each stays for some seconds."""


@dataclass
class Weather:
    """What happens to BMCs, from a seed: each turn a few fall ill, and each illness passes."""

    farm: BMCs
    rng: Random
    done: Counter[str] = field(default_factory=Counter[str])
    silent_until_s: dict[int, float] = field(default_factory=dict[int, float])
    loses_until_s: float = 0.0

    def turn(self, now_s: float) -> None:
        """Let a turn's share of things happen."""
        bmcs = len(self.farm.infos)
        back = [number for number, until_s in self.silent_until_s.items() if until_s <= now_s]
        self.farm.silence(back, is_silent=False)
        for number in back:
            del self.silent_until_s[number]
        # About a tenth of them are silent at any time: 5 to 40 s, so that some become faults and some do not.
        room = bmcs // 10 - len(self.silent_until_s)
        falling = self._draw("silent", min(room, 1 + bmcs // 200))
        self.farm.silence(falling)
        self.silent_until_s |= {number: now_s + self.rng.uniform(5, 40) for number in falling}
        self.farm.reboot(self._draw("reboot", 1 + bmcs // 1_000))
        self.farm.press(self._draw("button", 1 + bmcs // 1_000), self.rng.choice((PowerState.ON, PowerState.OFF)))
        self._lose(now_s)

    def heal(self) -> None:
        """End every illness."""
        self.farm.silence(list(self.silent_until_s), is_silent=False)
        self.silent_until_s.clear()
        self.farm.lose(0)

    def _lose(self, now_s: float) -> None:
        if self.loses_until_s <= now_s:
            percent = self.rng.choice((0, 0, 2))
            self.farm.lose(percent)
            self.done["loss"] += percent > 0
            self.loses_until_s = now_s + self.rng.uniform(3, 8)

    def _draw(self, what: str, count: int) -> list[int]:
        drawn = self.rng.sample(range(len(self.farm.infos)), max(0, count))
        self.done[what] += len(drawn)
        return drawn


@dataclass
class Outbreak:
    """What misfits do, from a seed: each turn one of them falls ill, for 5 to 30 s, until half of them are."""

    misfits: Misfits
    rng: Random
    done: Counter[str] = field(default_factory=Counter[str])
    ill_until_s: dict[int, float] = field(default_factory=dict[int, float])

    def turn(self, now_s: float) -> None:
        """Let a turn's share of things happen."""
        for number in [number for number, until_s in self.ill_until_s.items() if until_s <= now_s]:
            self.misfits.heal(number)
            del self.ill_until_s[number]
        well = [number for number in range(len(self.misfits)) if number not in self.ill_until_s]
        if len(well) > len(self.misfits) // 2:
            number = self.rng.choice(well)
            ill = self.rng.choice(self.misfits.ills(number))
            self.misfits.fall_ill(number, ill)
            self.ill_until_s[number] = now_s + self.rng.uniform(5, 30)
            self.done[ill] += 1

    def heal(self) -> None:
        """End every illness."""
        for number in self.ill_until_s:
            self.misfits.heal(number)
        self.ill_until_s.clear()


class Users:
    """Asks for power and looks, as people do: mostly accepted, now and then refused, never waiting for a machine."""

    def __init__(self, client: Client, nodes: Sequence[str], rng: Random, each_turn: float) -> None:
        self.told: Counter[str] = Counter()
        self._client = client
        self._nodes = nodes
        self._rng = rng
        self._share = each_turn
        self._owed = 0.0

    def turn(self) -> None:
        """Ask for as much as is due."""
        self._owed += self._share
        while self._owed >= 1:
            self._owed -= 1
            node = self._rng.choice(self._nodes)
            try:
                self._client.nodes.power(node, self._rng.choice(("power on", "power off")))
                self.told["accepted"] += 1
            except CastironError as refusal:
                self.told[refusal.code] += 1
        self._client.nodes.show(self._rng.choice(self._nodes))


class Subscribers:
    """Followers of the event stream that come and go; every fourth never reads."""

    def __init__(self, endpoint: str, rng: Random) -> None:
        self.heard = 0
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._endpoint = endpoint
        self._rng = rng
        self._sockets: list[tuple[float, bool, zmq.Socket[bytes]]] = []

    def turn(self, now_s: float) -> None:
        """Read what has come, let go who has been here long enough, and let one more come."""
        for leaves_at_s, reads, socket in list(self._sockets):
            if reads:
                with suppress(zmq.Again):
                    while socket.recv_multipart(zmq.NOBLOCK):
                        self.heard += 1
            if leaves_at_s <= now_s:
                socket.close(linger=0)
                self._sockets.remove((leaves_at_s, reads, socket))
        if len(self._sockets) < SUBSCRIBERS:
            socket = self._context.socket(zmq.SUB)
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(self._endpoint)
            self._sockets.append((now_s + self._rng.uniform(2, 10), self._rng.random() < 0.75, socket))

    def end(self) -> None:
        """Let all go. Idempotent."""
        self._context.destroy(linger=0)
