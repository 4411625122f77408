"""What stands in the way of moving a node, and what its steps did not do."""

from castiron.transport.errors.asked import ConflictError, RequestError
from castiron.transport.errors.base import CastironError
from castiron.transport.vocabulary import Retry, Source


class NodeStateInvalid(ConflictError):
    """The node's provision state does not allow it. details: node, provision_state, target, accepts."""

    code = "node.invalid_state"


class StepInvalid(RequestError):
    """A step is unknown, or its arguments are wrong. details: path ("$.steps[1].args.pause_s"), interface, step."""

    code = "step.invalid"


class RunbookNotFound(RequestError):
    """No runbook has that name or uuid. details: runbook."""

    code = "runbook.not_found"


class RunbookExists(RequestError):
    """Another runbook has that name. details: name, uuid."""

    code = "runbook.exists"


class RunbookTraitMissing(RequestError):
    """The node has none of the traits that the runbook is for. details: node, runbook, wants, traits (the node's)."""

    code = "runbook.trait_missing"


class RunbookStale(ConflictError):
    """The runbook has changed since the caller read it; read it again. details: runbook, have, want."""

    code = "runbook.stale"
    retry = Retry.NEVER


class RunbooksFull(ConflictError):
    """There are as many runbooks as there may be; delete one first. details: count, limit."""

    code = "runbook.too_many"


class StepNotWaiting(ConflictError):
    """No step waits for that answer: it has ended, or was answered. details: node, step."""

    code = "step.not_waiting"


class StepTokenInvalid(RequestError):
    """The token is not one that this conductor has given for the node. details: node."""

    code = "step.token_invalid"


class StepFailed(CastironError):
    """A step of a list did not do what it was to do. details: node, step, and what the step says."""

    code = "step.failed"
    source = Source.CALLER
    retry = Retry.LATER


class StepTimeout(CastironError):
    """A step did not end by its time. details: node, step, deadline_at."""

    code = "step.timeout"
    source = Source.CALLER
    retry = Retry.LATER


class StepInterrupted(CastironError):
    """The conductor, or the node's actor, ended while a step ran that must not be done twice. details: node, step."""

    code = "step.interrupted"
    retry = Retry.LATER
