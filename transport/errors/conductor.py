"""What keeps a conductor from doing as it was asked: its limits, its store, a fault of its own."""

from castiron.transport.errors.base import CastironError
from castiron.transport.vocabulary import Retry


class CapacityError(CastironError):
    """A limit that the documents name was reached; nothing was accepted."""

    retry = Retry.AFTER


class MailboxFull(CapacityError):
    """The node has as many messages waiting as it may have. details: node, limit."""

    code = "mailbox.full"


class ConductorOverloaded(CapacityError):
    """A limit of the conductor's was reached, or a part of it is being replaced. details: what, limit (if one was)."""

    code = "conductor.overloaded"


class ConductorDraining(CapacityError):
    """The conductor drains or stops, and accepts nothing new."""

    code = "conductor.draining"
    retry = Retry.LATER


class StoreUnavailable(CapacityError):
    """The store could not be written (disk full, read-only, I/O error). details: reason."""

    code = "store.unavailable"


class InternalError(CastironError):
    """A fault of castiron's own; error_id finds it in the conductor's log."""

    code = "internal"
    retry = Retry.LATER
