"""Verbs about allocations: somebody wants a node of a class, whichever, and holds it until it is given back."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType, field

from castiron.transport import errors
from castiron.transport.verbs.arguments import (
    MAX_LIST,
    MAX_TIMEOUT_S,
    Attributes,
    Limit,
    NewName,
    NodeArgument,
    ResourceClass,
    Trait,
    Traits,
)
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import AllocationState, Role

MAX_PATIENCE_S: Final = 30 * 86_400.0
"""A month: as long as a machine may take to be repaired."""

AllocationArgument = Annotated[str, Meta(min_length=1, max_length=255, description="name or uuid of an allocation")]
AllocationName = Annotated[NewName, Meta(description="unique among allocations; letters, digits, and . - _")]
NewUUID = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z",
        description="made by you, so that you know it whatever becomes of the answer; nil: made here",
    ),
]

_CHANGES: Final = (
    errors.AllocationNotFound,
    errors.AllocationNotYours,
    errors.StoreUnavailable,
)


class AllocationCreate(Verb, frozen=True, kw_only=True, tag="allocation.create"):
    """Have a node that is available held for oneself, chosen by its resource class and its traits.

    Answered once it is on disk, while the node is looked for: `allocation.wait` and the events tell what came of it. If
    no node can be had it fails at once, and says how many nodes lacked what; with `timeout_s` it waits for one so long.
    """

    resource_class: ResourceClass
    traits: Annotated[Traits, Meta(description="the node must have all of these; it may have others, too")] = field(
        default_factory=list[Trait]
    )
    candidate_nodes: (
        Annotated[list[NodeArgument], Meta(min_length=1, max_length=MAX_LIST, description="one of these only")] | None
    ) = None
    name: AllocationName | None = None
    uuid: NewUUID | None = None
    extra: Attributes = field(default_factory=dict[str, Any])
    timeout_s: (
        Annotated[
            float, Meta(gt=0, le=MAX_PATIENCE_S, description="wait so many seconds for a node; nil: fail at once")
        ]
        | None
    ) = None

    makes_work = True
    idempotent = False
    refusals = (errors.AllocationExists, errors.NodeNotFound, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class AllocationList(Verb, frozen=True, kw_only=True, tag="allocation.list"):
    """List allocations, the oldest first; those of which all that is given holds."""

    node: NodeArgument | None = None
    resource_class: ResourceClass | None = None
    state: Annotated[AllocationState, Meta(description="in this state")] | None = None
    owner: Annotated[str, Meta(min_length=1, max_length=255, description="of this identity")] | None = None
    limit: Limit = MAX_LIST
    marker: AllocationArgument | None = None

    refusals = (errors.NodeNotFound, errors.AllocationNotFound)
    role = Role.READER
    version = "1.1"


class AllocationShow(Verb, frozen=True, kw_only=True, tag="allocation.show"):
    """Show one allocation: its state, its node, or why it has none."""

    allocation: AllocationArgument

    refusals = (errors.AllocationNotFound,)
    role = Role.READER
    version = "1.1"


class AllocationWait(Verb, frozen=True, kw_only=True, tag="allocation.wait"):
    """Show one allocation as soon as it is active or has failed, or as it is when the time is up.

    One that is deleted meanwhile is not found.
    """

    allocation: AllocationArgument
    timeout_s: Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S, description="seconds to wait")] = 60.0

    refusals = (errors.AllocationNotFound,)
    role = Role.READER
    version = "1.1"


class AllocationSet(Verb, frozen=True, kw_only=True, tag="allocation.set"):
    """Change an allocation's name or extra. A key of extra is set, or removed where nil; it holds 64 KiB."""

    allocation: AllocationArgument
    name: AllocationName | UnsetType | None = UNSET
    extra: Attributes | UnsetType = UNSET
    force: Annotated[bool, Meta(description="also if it is somebody else's")] = False

    makes_work = True
    refusals = (*_CHANGES, errors.AllocationExists)
    role = Role.OPERATOR
    version = "1.1"


class AllocationDelete(Verb, frozen=True, kw_only=True, tag="allocation.delete"):
    """Forget an allocation; its node is held for nobody then.

    Not while somebody's machine is on the node, or the node is on its way: give it back with `undeploy`, which ends
    the allocation, too. In maintenance it is always taken.
    """

    allocation: AllocationArgument
    force: Annotated[bool, Meta(description="also if it is somebody else's")] = False

    makes_work = True
    idempotent = False
    refusals = (
        *_CHANGES,
        errors.NodeStateInvalid,
        errors.NodeLockHeld,
        errors.NodeInMaintenance,
        errors.MailboxFull,
    )
    role = Role.OPERATOR
    version = "1.1"
