"""What the engine counts. Written by its thread, read by any: single integers, so a reader sees each one whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from castiron.actors.drivers.ipmi.sessions.drops import Drop


@dataclass(slots=True)
class Counters:
    """Counts since the start, and gauges of now."""

    sessions: int = 0
    """Now: sessions that are open."""
    in_flight: int = 0
    """Now: calls that a BMC is being asked for."""
    waiting: int = 0
    """Now: calls that wait for a login or for others of their BMC."""
    logins: int = 0
    """Sessions that were opened."""
    logins_failed: int = 0
    """Logins that ended without a session, the silent ones included."""
    sent: int = 0
    """Datagrams handed to the kernel."""
    unsent: int = 0
    """Datagrams that the kernel would not take."""
    received: int = 0
    """Datagrams of BMCs that were spoken to."""
    retransmitted: int = 0
    """Requests and login steps that were sent again because of silence."""
    stray: int = 0
    """Datagrams from nobody who was spoken to, or not of IPMI at all."""
    stray_noise: int = 0
    """Of these, those of BMCs that are spoken to: not of IPMI at all."""
    dropped: int = 0
    """Datagrams from a BMC's address that are not its answer, for whatever reason of those below."""
    dropped_short: int = 0
    dropped_session: int = 0
    dropped_forged: int = 0
    dropped_sequence: int = 0
    dropped_unasked: int = 0
    dropped_unreadable: int = 0
    """See Drop. Their sum is `dropped`."""
    resolved: int = 0
    """Look-ups of host names that ended, with or without an address."""

    def drop(self, reason: Drop) -> None:
        """Count a datagram that was dropped."""
        self.dropped += 1
        setattr(self, reason, getattr(self, reason) + 1)

    def snapshot(self) -> Mapping[str, int]:
        """Return a copy of all of them. Any thread."""
        return asdict(self)
