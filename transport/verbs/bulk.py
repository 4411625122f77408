"""Verbs about bulks: the same asked of many nodes in one message, and told in parts."""

from typing import Annotated, Any, Final

from msgspec import Meta, ValidationError, convert, field
from msgspec.structs import replace

from castiron.transport import errors
from castiron.transport.selection.conditions import MAX_CONDITIONS, Condition
from castiron.transport.verbs.arguments import MAX_LIST, MAX_TIMEOUT_S, BulkKey
from castiron.transport.verbs.provisioning import AnyNodeRequest
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import Role

MAX_RANGE: Final = 49_152
"""Characters of one host range: three quarters of a message."""

OWN: Final = ("node", "key", "replies", "dry_run")
"""Arguments of a node's request that a bulk gives to each of them itself."""

_NOBODY: Final = "-"


class BulkRun(Verb, frozen=True, kw_only=True, tag="bulk.run"):
    """Ask for the same of many nodes: each gets a request of its own, so many at a time, and is told of as it ends.

    All nodes are looked up first; if one is unknown, nothing is accepted. See section 9.2.
    """

    order: Annotated[
        dict[str, Any],
        Meta(description="what to ask of each: a verb that becomes a request, without `node`, `key` and `replies`"),
    ]
    nodes: (
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=MAX_RANGE)]],
            Meta(max_length=MAX_LIST, description="names, uuids and host ranges, as n[1-20]; nil: all"),
        ]
        | None
    ) = None
    where: Annotated[
        list[Condition], Meta(max_length=MAX_CONDITIONS, description="those of which all these hold; section 9.1")
    ] = field(default_factory=list[Condition])
    key: Annotated[BulkKey, Meta(description="made by you: the same bulk again asks nobody twice")] | None = None
    batch: Annotated[int, Meta(ge=1, description="at most so many run at once; nil: any number")] | None = None
    stagger_s: Annotated[
        float, Meta(ge=0, le=MAX_TIMEOUT_S, description="at least so many seconds from one start to the next")
    ] = 0.0
    per: (
        Annotated[
            str,
            Meta(min_length=1, max_length=512, description="field of a node, as properties.rack: see `per_limit`"),
        ]
        | None
    ) = None
    per_limit: Annotated[
        int, Meta(ge=1, description="with `per`: at most so many run at once among nodes that have the same there")
    ] = 1
    stop_after_failures: (
        Annotated[int, Meta(ge=1, description="once so many have failed, none is started any more; nil: never")] | None
    ) = None
    at_most: (
        Annotated[int, Meta(ge=1, description="refuse if it would reach more nodes than that; nil: do not")] | None
    ) = None
    wait: Annotated[bool, Meta(description="tell of each node when its request has ended; false: was accepted")] = True
    dry_run: Annotated[bool, Meta(description="tell of each node what would happen, and change nothing")] = False

    makes_work = True
    role = Role.OPERATOR  # as all that it may ask for
    idempotent = False
    refusals = (errors.NodeNotFound, errors.BulkTooLarge)
    version = "1.1"

    def __post_init__(self) -> None:
        """Refuse what could not be asked of any node.

        Raises:
            ArgumentInvalid: see `order_of`; or no nodes are chosen.
        """
        order_of(self.order)
        if self.nodes is not None and not self.nodes:
            message = "bulk.run: an empty list names no node, at $.nodes. Name some, or leave it out and give `where`."
            raise errors.ArgumentInvalid(message, details={"path": "$.nodes"})
        if self.nodes is None and not self.where:
            message = "bulk.run: name nodes, or choose them with conditions, at $.nodes."
            raise errors.ArgumentInvalid(message, details={"path": "$.nodes"})


class BulkCancel(Verb, frozen=True, kw_only=True, tag="bulk.cancel"):
    """Stop a bulk: what has not been started will not be, and what waits in line is withdrawn; what runs goes on."""

    bulk: Annotated[str, Meta(min_length=1, max_length=91, description="id of a bulk, or its key")]
    leave: Annotated[
        bool, Meta(description="nobody listens any more: free its place at once, and tell nothing of what runs")
    ] = False

    makes_work = True
    role = Role.OPERATOR
    refusals = (errors.BulkNotFound,)
    version = "1.1"


def order_of(order: dict[str, Any]) -> AnyNodeRequest:
    """Return what a bulk asks of each node, to be given to each by `addressed`.

    Raises:
        ArgumentInvalid: no verb that becomes a request, an argument that does not fit, or one of OWN.
    """
    own = next((name for name in OWN if name in order), None)
    if own is not None:
        raise _refused(f"`{own}` is not yours to give here", f"$.order.{own}")
    try:
        return convert({**order, "node": _NOBODY}, AnyNodeRequest)  # type: ignore[no-any-return]  # a union is a type form
    except ValidationError as failure:
        what, _, at = str(failure).partition(" - at `$")
        raise _refused(what, f"$.order{at.rstrip('`')}") from None


def addressed(order: AnyNodeRequest, node: str, key: str | None, *, dry_run: bool = False) -> AnyNodeRequest:
    """Return a bulk's request to one node.

    Args:
        order: from `order_of`.
        node: its uuid.
        key: the bulk's; the request's own is made of it and the node, so that both are the same for ever.
        dry_run: ask only what would come of it.
    """
    return replace(order, node=node, key=None if key is None else f"{key}/{node}", dry_run=dry_run)


def _refused(what: str, path: str) -> errors.ArgumentInvalid:
    hint = "It holds a verb that becomes a request, and its arguments."
    return errors.ArgumentInvalid(f"bulk.run: {what}, at {path}. {hint}", details={"path": path})
