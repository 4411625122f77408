"""Host names, looked up beside the engine's thread; literals never leave it.

What was found is kept for a while, used a little longer while it is looked up again, and kept if that fails: so a name
server that is slow or gone costs only nodes whose names were never found. Everything but the look-up itself runs on
the engine's thread.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.drivers.ipmi.wire.address import Address, literal_address
from castiron.transport.vocabulary import Instant

FOUND_FOR_S: Final = 300.0
"""How long an answer is believed: the common time to live of a BMC's record, which getaddrinfo does not tell."""

MISSED_FOR_S: Final = 5.0
"""How long a failure is: longer than a burst of calls, shorter than a check's interval."""

MAX_LOOKUPS: Final = 16
"""Look-ups at once. Each is a thread that waits for the resolver, which gives up after 10 to 30 s."""

MAX_NAMES: Final = 65_536
"""Names kept; beyond, the oldest go. Several times the nodes that one conductor holds."""

Lookup = Callable[[str, int], Sequence[Address]]
"""Looks a name up, blocking. Raises OSError."""

Waiter = Callable[[Sequence[Address]], None]
"""Is told the addresses; none if the name was not found."""


def ask_resolver(host: str, port: int) -> list[Address]:
    """Ask the system's resolver. Blocks for as long as that does.

    Raises:
        OSError: the name was not found, or nobody could be asked.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    families = (socket.AF_INET, socket.AF_INET6)
    return [Address(family, _sockaddr(sockaddr)) for family, _, _, _, sockaddr in found if family in families]


def _sockaddr(sockaddr: Any) -> Any:
    return tuple(sockaddr)


def start_thread(work: Callable[[], None]) -> None:
    """Run work on a thread of its own. It ends with the process, because a resolver cannot be told to stop."""
    threading.Thread(target=work, name="castiron-names", daemon=True).start()


def start_in(bulkhead: Bulkhead, work: Callable[[], None]) -> None:
    """Run work in a bulkhead. What it does not begin, as at a stop, is told to nobody: nobody waits any more."""
    bulkhead.submit(work, lambda _: None)


@dataclass(slots=True)
class _Name:
    addresses: Sequence[Address] = ()
    until: Instant = Instant(0.0)
    waiters: list[Waiter] = field(default_factory=list[Waiter])
    is_asked: bool = False
    is_doubted: bool = False


class Names:
    """The names of one engine.

    Args:
        now: what time it is.
        post: runs a call on the engine's thread; any thread may use it.
        lookup: looks up, on a thread that `start` makes.
        start: runs work elsewhere.
        ended: called on the engine's thread after each look-up.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Instant],
        post: Callable[[Callable[[], None]], object],
        lookup: Lookup = ask_resolver,
        start: Callable[[Callable[[], None]], None] = start_thread,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._now, self._post, self._lookup, self._start, self._ended = now, post, lookup, start, ended
        self._names: dict[tuple[str, int], _Name] = {}
        self._queue: dict[tuple[str, int], None] = {}
        self._running = 0

    def resolve(self, host: str, port: int, waiter: Waiter) -> None:
        """Tell the waiter the addresses of a host: at once if they are known, else when the look-up ends."""
        try:
            literal = literal_address(host, port)
        except OSError:
            return waiter(())
        if literal is not None:
            return waiter((literal,))
        name = self._name((host, port))
        is_current = self._now() < name.until
        if not is_current:
            self._ask((host, port), name)
        if is_current or (name.addresses and not name.is_doubted):
            return waiter(name.addresses)
        name.waiters.append(waiter)
        return None

    def doubt(self, host: str, port: int) -> None:
        """Look the host up before it is used again, because nobody answered there. Literals are beyond doubt."""
        name = self._names.get((host, port))
        if name is not None and not name.is_asked:
            name.until = Instant(0.0)
            name.is_doubted = True

    def _name(self, key: tuple[str, int]) -> _Name:
        if key not in self._names and len(self._names) >= MAX_NAMES:
            idle = next((old for old, name in self._names.items() if not name.is_asked), None)
            if idle is not None:
                del self._names[idle]
        return self._names.setdefault(key, _Name())

    def _ask(self, key: tuple[str, int], name: _Name) -> None:
        if not name.is_asked:
            name.is_asked = True
            self._queue[key] = None
            self._go_on()

    def _go_on(self) -> None:
        while self._queue and self._running < MAX_LOOKUPS:
            key = next(iter(self._queue))
            del self._queue[key]
            self._running += 1
            self._start(partial(self._look_up, key))

    def _look_up(self, key: tuple[str, int]) -> None:
        """On a thread of its own."""
        try:
            addresses = self._lookup(*key)
        except (OSError, UnicodeError):
            addresses = ()
        self._post(partial(self._found, key, addresses))

    def _found(self, key: tuple[str, int], addresses: Sequence[Address]) -> None:
        self._running -= 1
        self._ended()
        name = self._names[key]
        name.is_asked = name.is_doubted = False
        name.addresses = addresses or name.addresses
        name.until = Instant(self._now() + (FOUND_FOR_S if addresses else MISSED_FOR_S))
        waiters, name.waiters = name.waiters, []
        for waiter in waiters:
            waiter(name.addresses)
        self._go_on()
