"""Every failure that can reach a caller: its class, its code on the wire, and what to do about it.

One table for both directions: the conductor raises a class, the wire carries its code, the client raises it again.
`code` is the contract; `message` is for people and must not be parsed. An error without a code here cannot reach a
caller: it becomes `internal` and its text stays in the log. Nothing but errors lives here.

    CastironError
      RequestError           yours: the request is wrong                    source=caller
        FrameMalformed  FrameTooLarge  VersionUnsupported  VerbUnknown  ArgumentInvalid
        NodeNotFound  NodeExists  BMCAddressTaken  RequestNotFound
      ConflictError          the world is in the way                        source=caller
        NodeLocked  NodeInMaintenance  RevisionStale  NodeRemoved
      CapacityError          a published limit was reached                  source=conductor
        MailboxFull  ConductorOverloaded  ConductorDraining  StoreUnavailable
      BMCError               the machine's controller                       source=bmc
        BMCUnreachable  BMCCredentials  BMCUnsupported  BMCBusy  BMCFault
      PowerStateUnconfirmed  the BMC took the command and the state did not follow
      DeadlineExceeded       the request's own time ran out
      InternalError          ours                                           source=conductor
      ConductorLost  ReplyTimeout    raised by clients only; they have no code on the wire
      EventsLost                     raised by clients only, where a stream of events has a gap for good
      EndpointRefused                raised before anything is sent, by both sides; no code on the wire
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final, Self, TypeVar, cast

from castiron.transport.vocabulary import Applied, Retry, Source

_Word = TypeVar("_Word", bound=StrEnum)


class CastironError(Exception):
    """Base of everything that castiron raises to its callers.

    Attributes:
        code: the stable, dotted word on the wire.
        retry: whether the same request may succeed later.
        source: where to look for the cause.
        message: one or two sentences for people; the second says what to do.
        details: small map whose keys each class names; values are what msgpack can carry.
        retry_after_s: seconds to wait before a retry; set whenever retry is "after".
        applied: whether what failed reached the machine; None where nothing could.
        error_id: finds the line in the conductor's log; set by the conductor when it sends the failure.
    """

    code: ClassVar[str] = "error"
    retry: Retry = Retry.NEVER
    source: Source = Source.CONDUCTOR

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
        applied: Applied | None = None,
        error_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after_s = retry_after_s
        self.applied = applied
        self.error_id = error_id

    def to_wire(self) -> dict[str, Any]:
        """Return the failure as the map that the wire carries: {code, retry, source, message, details, …}."""
        body: dict[str, Any] = {
            "code": self.code,
            "retry": self.retry.value,
            "source": self.source.value,
            "message": self.message,
            "details": self.details,
        }
        if self.retry_after_s is not None:
            body["retry_after_s"] = self.retry_after_s
        if self.applied is not None:
            body["applied"] = self.applied.value
        if self.error_id is not None:
            body["error_id"] = self.error_id
        return body

    @classmethod
    def _rebuild(cls, body: Mapping[str, Any]) -> Self:
        details = body.get("details")
        retry_after_s = body.get("retry_after_s")
        error_id = body.get("error_id")
        return cls(
            str(body.get("message", "")),
            details=cast("Mapping[str, Any]", details) if isinstance(details, Mapping) else None,
            retry_after_s=float(retry_after_s) if isinstance(retry_after_s, int | float) else None,
            applied=_word(Applied, body.get("applied")),
            error_id=error_id if isinstance(error_id, str) else None,
        )


class RequestError(CastironError):
    """The request is wrong; sending it again will not help."""

    source = Source.CALLER


class FrameMalformed(RequestError):
    """The frames are not those of the protocol, or the body is not msgpack. details: reason."""

    code = "frame.malformed"


class FrameTooLarge(RequestError):
    """A message is larger than the conductor reads. details: limit_bytes, size_bytes."""

    code = "frame.too_large"


class VersionUnsupported(RequestError):
    """The header names a protocol version that this conductor does not speak. details: speaks."""

    code = "version.unsupported"


class VerbUnknown(RequestError):
    """No such verb. details: verb, nearest."""

    code = "verb.unknown"


class ArgumentInvalid(RequestError):
    """A field is missing, unknown, or of the wrong type or range. details: path ("$.target")."""

    code = "argument.invalid"


class NodeNotFound(RequestError):
    """No node has that name or uuid. details: node."""

    code = "node.not_found"


class NodeExists(RequestError):
    """Another node has that name. details: name, uuid."""

    code = "node.exists"


class BMCAddressTaken(RequestError):
    """Another node has that BMC address; `force` overrides. details: address, node, uuid."""

    code = "node.bmc_address_taken"


class RequestNotFound(RequestError):
    """No request has that id, or it ended longer ago than requests are kept. details: request."""

    code = "request.not_found"


class ConflictError(CastironError):
    """The request is right, and the world is in its way now."""

    source = Source.CALLER
    retry = Retry.LATER


class NodeLocked(ConflictError):
    """The node is busy with another request. details: node, request, verb, age_s, requester."""

    code = "node.locked"


class NodeInMaintenance(ConflictError):
    """The node is in maintenance, and the verb is not one that works there. details: node, reason, fault."""

    code = "node.maintenance"


class RevisionStale(ConflictError):
    """The node has changed since the caller read it; read it again. details: node, have, want."""

    code = "node.stale"
    retry = Retry.NEVER


class NodeRemoved(ConflictError):
    """The node was deleted before the request had ended. details: node, node_uuid, requester (of the deletion)."""

    code = "node.deleted"
    retry = Retry.NEVER


class CapacityError(CastironError):
    """A limit that the documents name was reached; nothing was accepted."""

    retry = Retry.AFTER


class MailboxFull(CapacityError):
    """The node has as many messages waiting as it may have. details: node, limit."""

    code = "mailbox.full"


class ConductorOverloaded(CapacityError):
    """The conductor has as many messages in flight as it may have. details: limit, what."""

    code = "conductor.overloaded"


class ConductorDraining(CapacityError):
    """The conductor is stopping and accepts nothing new."""

    code = "conductor.draining"
    retry = Retry.LATER


class StoreUnavailable(CapacityError):
    """The store could not be written (disk full, read-only, I/O error). details: path, reason."""

    code = "store.unavailable"


class BMCError(CastironError):
    """The machine's BMC, or the way to it. details: node, address, and completion_code where the BMC gave one."""

    source = Source.BMC
    retry = Retry.LATER


class BMCUnreachable(BMCError):
    """No answer before the deadline."""

    code = "bmc.unreachable"


class BMCCredentials(BMCError):
    """The BMC refused the user name, the password, the privilege level or the cipher suite."""

    code = "bmc.credentials"
    retry = Retry.NEVER


class BMCUnsupported(BMCError):
    """The BMC does not know the command, or not in this state (0xC1, 0xC9, 0xCC, 0xD5, 0xD6)."""

    code = "bmc.unsupported"
    retry = Retry.NEVER


class BMCBusy(BMCError):
    """The BMC is busy or out of session slots (0xC0, 0xC3, 0xC4, 0xCE, 0xD2; RMCP+ status 0x01)."""

    code = "bmc.busy"


class BMCFault(BMCError):
    """Any other completion code, or an answer that makes no sense."""

    code = "bmc.fault"


class PowerStateUnconfirmed(CastironError):
    """The power state did not become the wanted one in time. details: node, wanted, power_state."""

    code = "power.unconfirmed"
    source = Source.BMC
    retry = Retry.LATER


class DeadlineExceeded(CastironError):
    """The request's own time ran out. details: deadline_at."""

    code = "deadline.exceeded"
    retry = Retry.LATER


class InternalError(CastironError):
    """A fault of castiron's own; error_id finds it in the conductor's log."""

    code = "internal"
    retry = Retry.LATER


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


def _leaves(base: type[CastironError]) -> list[type[CastironError]]:
    below = [leaf for child in base.__subclasses__() for leaf in _leaves(child)]
    return below or [base]


WIRE_ERRORS: Final[Mapping[str, type[CastironError]]] = {
    leaf.code: leaf for leaf in _leaves(CastironError) if leaf.code != CastironError.code
}
"""Code on the wire → class, for every error that a conductor can send."""


def _word(words: type[_Word], value: object) -> _Word | None:
    return words(value) if isinstance(value, str) and value in set(words) else None


def from_wire(body: Mapping[str, Any]) -> CastironError:
    """Rebuild the error that a conductor sent.

    A code that this version does not know becomes a plain CastironError that keeps every field it can, so that an old
    client understands a newer conductor.

    Args:
        body: the map that `CastironError.to_wire` makes.
    """
    code = str(body.get("code", ""))
    known = WIRE_ERRORS.get(code)
    error = known._rebuild(body) if known else CastironError._rebuild(body)  # noqa: SLF001 - one class tree, one file
    if known is None:
        error.code = code or CastironError.code  # type: ignore[misc]  # an instance may carry the word it was sent
    error.retry = _word(Retry, body.get("retry")) or error.retry
    error.source = _word(Source, body.get("source")) or error.source
    return error
