"""Verbs about stored requests."""

from typing import Annotated

from msgspec import Meta

from castiron.transport import errors
from castiron.transport.verbs.arguments import MAX_TIMEOUT_S, DryRun, Limit, MomentAt, NodeArgument, RequestArgument
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import RequestState, Role


class RequestShow(Verb, frozen=True, kw_only=True, tag="request.show"):
    """Show one request: its state, its times, its result or error."""

    request: RequestArgument

    refusals = (errors.RequestNotFound,)
    role = Role.READER


class RequestTrace(Verb, frozen=True, kw_only=True, tag="request.trace"):
    """Tell a request's whole life: accepted, queued, started, each exchange with the BMC, waits, its end, its webhooks.

    Of a request that is running, up to now. Times are those of the conductor's clock; an exchange lasts from when it
    was ordered to when its outcome was heard.
    """

    request: RequestArgument

    refusals = (errors.RequestNotFound,)
    role = Role.READER
    version = "1.1"


class RequestCancel(Verb, frozen=True, kw_only=True, tag="request.cancel"):
    """Withdraw a request that has not started. If others want it as well, it goes on for them."""

    request: RequestArgument
    force: Annotated[bool, Meta(description="also if others want it, or you do not")] = False
    dry_run: DryRun = False

    makes_work = True
    role = Role.OPERATOR
    refusals = (
        errors.RequestNotFound,
        errors.RequestStarted,
        errors.RequestEnded,
        errors.RequestNotYours,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
    version = "1.1"


class RequestAbort(Verb, frozen=True, kw_only=True, tag="request.abort"):
    """End a request that runs, between two exchanges with the BMC, and look at the machine; cancel one that waits.

    Answered when the request has ended: within one command time-out, as failed with `request.aborted`, unless it ended
    by itself first.
    """

    request: RequestArgument
    force: Annotated[bool, Meta(description="also if others want it, or you do not")] = False
    dry_run: DryRun = False

    makes_work = True
    role = Role.OPERATOR
    refusals = (
        errors.RequestNotFound,
        errors.RequestEnded,
        errors.RequestNotYours,
        errors.NodeLockHeld,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
    version = "1.1"


class RequestWait(Verb, frozen=True, kw_only=True, tag="request.wait"):
    """Show one request as soon as it has ended, or as it is when the time is up."""

    request: RequestArgument
    timeout_s: Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S, description="seconds to wait")] = 60.0

    refusals = (errors.RequestNotFound,)
    role = Role.READER


class RequestList(Verb, frozen=True, kw_only=True, tag="request.list"):
    """List requests, the latest accepted first; those of which all that is given holds."""

    node: NodeArgument | None = None
    states: (
        Annotated[list[RequestState], Meta(max_length=len(RequestState), description="in these states only")] | None
    ) = None
    of_verb: Annotated[str, Meta(min_length=1, max_length=64, description="of this verb, as node.power.set")] | None = (
        None
    )
    requester: (
        Annotated[str, Meta(min_length=1, max_length=255, description="first asked for by this identity")] | None
    ) = None
    error: (
        Annotated[str, Meta(min_length=1, max_length=64, description="ended with this code, as bmc.unreachable")] | None
    ) = None
    accepted_since: Annotated[MomentAt, Meta(description="accepted then or later")] | None = None
    accepted_until: Annotated[MomentAt, Meta(description="accepted before that")] | None = None
    ended_since: Annotated[MomentAt, Meta(description="ended then or later")] | None = None
    ended_until: Annotated[MomentAt, Meta(description="ended before that")] | None = None
    limit: Limit = 100
    marker: RequestArgument | None = None

    refusals = (errors.NodeNotFound, errors.RequestNotFound)
    role = Role.READER
