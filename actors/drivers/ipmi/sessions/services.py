"""What a link is given: the engine's services, and the contract of whoever owns it. No behaviour."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from castiron.actors.drivers.ipmi.counters import Counters
from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.pacing.neighbours import Neighbourhoods
from castiron.actors.drivers.ipmi.pacing.pacer import Pacer
from castiron.actors.drivers.ipmi.pacing.queue import Urgency
from castiron.actors.drivers.ipmi.sessions.exchange import Answer
from castiron.actors.drivers.ipmi.sessions.logins import Logins
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.actors.drivers.ipmi.wire.names import Names
from castiron.actors.drivers.ipmi.wire.network import Network, Receiver
from castiron.transport.errors import BMCError
from castiron.transport.vocabulary import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What links and BMCs share: one engine's."""

    now: Callable[[], Instant]
    timing: Timing
    counters: Counters
    network: Network
    names: Names
    logins: Logins
    pacer: Pacer
    datagrams: Allowance
    """The pacer's: whoever sends one counts it there."""
    neighbourhoods: Neighbourhoods
    jitter: random.Random
    new_session_id: Callable[[], int]


class Owner(Receiver, Protocol):
    """Whose link it is. Every method is called on the engine's thread; all but these two may open or ask at once."""

    @property
    def urgency(self) -> Urgency:
        """For whom it is used now."""
        ...

    def granted(self) -> None:
        """Hand on to the link's own `granted`."""
        ...

    def resolved(self, addresses: Sequence[Address]) -> None:
        """Hand on to the link's own `resolved`."""
        ...

    def link_answered(self, answer: Answer) -> None:
        """Take the answer to the request."""
        ...

    def link_failed(self, error: BMCError) -> None:
        """Know that there will be no session: the BMC is silent, or refused. The link is down."""
        ...

    def link_broke(self, error: BMCError) -> None:
        """Know that the session is gone, and the request, if there was one, unanswered. The link is down."""
        ...
