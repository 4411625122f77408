"""What is raised on a client's side only, or before anything is sent: no code of theirs is on the wire."""

from castiron.transport.errors.base import CastironError
from castiron.transport.vocabulary import Retry, Source


class ConductorLost(CastironError):
    """Raised by clients: the conductor does not answer. `applied` tells whether the request may have been accepted."""

    retry = Retry.LATER


class ReplyTimeout(CastironError):
    """Raised by clients: the reply did not come in the time that the caller gave."""

    retry = Retry.LATER


class EventsLost(CastironError):
    """Raised by clients: events cannot be had any more, because they are not kept, or the store is another one.

    details: first, last (the numbers of what was lost), next_since (from where the stream goes on).
    """

    @property
    def first(self) -> int:
        """Number of the first event that was lost."""
        return int(self.details["first"])

    @property
    def last(self) -> int | None:
        """Number of the last event that was lost; None where that cannot be known, because the store is another one."""
        last = self.details["last"]
        return None if last is None else int(last)


class EndpointRefused(CastironError):
    """Raised before any socket is opened: nobody may listen or connect there. details: endpoint."""

    source = Source.CALLER


class HandshakeFailed(CastironError):
    """Raised by clients: both sides do not encrypt alike, or one speaks with another's key. details: endpoint."""

    source = Source.CALLER


class KeyUnusable(CastironError):
    """Raised before any socket is opened: a key file or an allow-list cannot be used. details: path."""

    source = Source.CALLER
