"""What is wrong with what was asked, or in its way: failures whose cause is the caller's to mend."""

from castiron.transport.errors.base import CastironError
from castiron.transport.vocabulary import Retry, Source


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


class VerbForbidden(RequestError):
    """The role of the caller's key does not include the verb; nothing was done. details: verb, role, needs."""

    code = "verb.forbidden"


class KeyRefused(RequestError):
    """The caller's key is not, or no longer, in the conductor's allow-list. details: public_key, endpoint.

    Raised by clients, too, when a conductor does not let them in.
    """

    code = "key.refused"


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


class BulkNotFound(RequestError):
    """No bulk with that id is under way. details: bulk."""

    code = "bulk.not_found"


class PeriodicNotFound(RequestError):
    """No periodic task has that name. details: periodic, nearest."""

    code = "periodic.not_found"


class BulkTooLarge(RequestError):
    """It would reach more nodes than it may. details: count, limit, what ("at_most", or the setting)."""

    code = "bulk.too_large"


class RequestReused(RequestError):
    """The key belongs to another request. details: key, request, verb, node."""

    code = "request.reused"


class ConflictError(CastironError):
    """The request is right, and the world is in its way now."""

    source = Source.CALLER
    retry = Retry.LATER


class NodeLocked(ConflictError):
    """The node is busy with another request.

    details: node, request, verb, age_s, requester (of what is in the way), power_state, maintenance, accepts (verbs
    that would be accepted now).
    """

    code = "node.locked"


class NodeInMaintenance(ConflictError):
    """The node is in maintenance, and the verb is not one that works there. details: node, reason, fault."""

    code = "node.maintenance"


class NodeProtected(ConflictError):
    """The node is protected: it is neither given back, nor rebuilt, nor forgotten. details: node, reason."""

    code = "node.protected"
    retry = Retry.NEVER


class NodeRetired(ConflictError):
    """The node is retired: it is not offered to anybody any more. details: node, reason."""

    code = "node.retired"
    retry = Retry.NEVER


class NodeLockHeld(ConflictError):
    """Somebody keeps the node to themselves. details: node, owner, reason, since."""

    code = "node.lock_held"


class PowerOffDisabled(ConflictError):
    """The machine must not be powered off, not even for a reboot. details: node."""

    code = "node.power_off_disabled"
    retry = Retry.NEVER


class RevisionStale(ConflictError):
    """The node has changed since the caller read it; read it again. details: node, have, want."""

    code = "node.stale"
    retry = Retry.NEVER


class NodeRemoved(ConflictError):
    """The node was deleted before the request had ended. details: node, node_uuid, requester (of the deletion)."""

    code = "node.deleted"
    retry = Retry.NEVER


class RequestStarted(ConflictError):
    """The request has started, so it cannot be cancelled any more. details: request, node, verb, state."""

    code = "request.started"
    retry = Retry.NEVER


class RequestEnded(ConflictError):
    """The request has ended, so it can neither be cancelled nor aborted. details: request, state."""

    code = "request.ended"
    retry = Retry.NEVER


class RequestNotYours(ConflictError):
    """Others want the request; `force` ends it for them, too. details: request, requesters."""

    code = "request.not_yours"
    retry = Retry.NEVER


class RequestCancelled(ConflictError):
    """The request was withdrawn before it started. details: request, requester (who withdrew it)."""

    code = "request.cancelled"
    retry = Retry.NEVER


class RequestSuperseded(ConflictError):
    """The request made room for another one before it started. details: request, superseded_by, verb, requester."""

    code = "request.superseded"
    retry = Retry.NEVER


class RequestExpired(ConflictError):
    """The request had not started by its deadline. details: request, deadline_at."""

    code = "request.expired"
    retry = Retry.NEVER


class RequestAborted(ConflictError):
    """The request was ended while it ran. details: request, requester (who ended it), power_state, power_state_at."""

    code = "request.aborted"
    retry = Retry.NEVER


class RequestInterrupted(ConflictError):
    """The request was not to go on after a restart, and there was one. details: request."""

    code = "request.interrupted"
    retry = Retry.NEVER


class PreconditionFailed(ConflictError):
    """The request was to start after another one, which did not succeed. details: request, depends_on, state."""

    code = "request.precondition_failed"
    retry = Retry.NEVER


class BulkStopped(ConflictError):
    """The bulk had been stopped before this node's turn came; nothing was asked of it. details: bulk, reason."""

    code = "bulk.stopped"
