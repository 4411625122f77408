"""Verbs about nodes as the conductor knows them: none of them reaches a BMC."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType, field

from castiron.transport import errors
from castiron.transport.errors import ArgumentInvalid, CastironError
from castiron.transport.selection.conditions import MAX_CONDITIONS, Condition
from castiron.transport.selection.order import MAX_MARKER
from castiron.transport.verbs.arguments import (
    LEAST_INTERVAL_S,
    MAX_LIST,
    MAX_RECORDED,
    Attributes,
    DriverInfo,
    DriverName,
    DryRun,
    IntervalS,
    Limit,
    NewName,
    NodeArgument,
    Reason,
    ResourceClass,
    TimeoutS,
    Traits,
)
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import Role

_MAINTENANCE: Final[tuple[type[CastironError], ...]] = (
    errors.NodeNotFound,
    errors.NodeLocked,
    errors.NodeInMaintenance,
    errors.NodeLockHeld,
    errors.MailboxFull,
    errors.StoreUnavailable,
)
"""Refusals of both: locked only while it is being deleted, and in maintenance only where its actor keeps failing."""


_LOCK: Final[tuple[type[CastironError], ...]] = _MAINTENANCE
"""The same go for these."""


class NodeCreate(Verb, frozen=True, kw_only=True, tag="node.create"):
    """Make a node known. Its BMC is not asked: a wrong password shows at the first use."""

    name: NewName
    driver: DriverName = "ipmi"
    driver_info: DriverInfo = field(default_factory=dict[str, str | int | float | bool | None])
    properties: Attributes = field(default_factory=dict[str, Any])
    extra: Attributes = field(default_factory=dict[str, Any])
    power_state_change_timeout_s: TimeoutS | None = None
    soft_power_off_timeout_s: TimeoutS | None = None
    power_check_interval_s: IntervalS | None = None
    resource_class: ResourceClass | None = None
    traits: Traits = field(default_factory=list[str])
    disable_power_off: Annotated[bool, Meta(description="it must not be powered off, not even for a reboot")] = False
    retired: Annotated[bool, Meta(description="it is not to be offered to anybody")] = False
    retired_reason: Reason | None = None
    sensor_data_interval_s: IntervalS | None = None
    force: Annotated[bool, Meta(description="accept a BMC address that another node has")] = False
    dry_run: DryRun = False

    makes_work = True
    idempotent = False
    refusals = (errors.NodeExists, errors.BMCAddressTaken, errors.StoreUnavailable)
    role = Role.ADMIN

    def __post_init__(self) -> None:
        """Refuse an interval that is next to none; see _check_interval."""
        _check_interval(self.power_check_interval_s)


class NodeList(Verb, frozen=True, kw_only=True, tag="node.list"):
    """List nodes, sorted by name unless told otherwise. Answered from memory: no BMC is asked, no actor disturbed."""

    nodes: Annotated[list[NodeArgument], Meta(max_length=MAX_LIST, description="these only")] | None = None
    where: Annotated[
        list[Condition], Meta(max_length=MAX_CONDITIONS, description="of which all these hold; section 9.1")
    ] = field(default_factory=list[Condition])
    sort: (
        Annotated[str, Meta(min_length=1, max_length=512, description="by this field, nothing last; nil: by name")]
        | None
    ) = None
    descending: Annotated[bool, Meta(description="the highest first")] = False
    limit: Limit = MAX_LIST
    marker: (
        Annotated[
            str,
            Meta(max_length=MAX_MARKER, description="begin behind this `next_marker`; without `sort`, a name"),
        ]
        | None
    ) = None

    refusals = (errors.NodeNotFound,)
    role = Role.READER


class NodeShow(Verb, frozen=True, kw_only=True, tag="node.show"):
    """Show one node: what was observed and when, what is under way, which verbs it would accept now."""

    node: NodeArgument

    refusals = (errors.NodeNotFound,)
    role = Role.READER


class NodeSet(Verb, frozen=True, kw_only=True, tag="node.set"):
    """Change attributes of a node. A key of a map is set, or removed where nil; properties and extra hold 64 KiB."""

    node: NodeArgument
    name: NewName | UnsetType = UNSET
    driver: DriverName | UnsetType = UNSET
    driver_info: DriverInfo | UnsetType = UNSET
    properties: Attributes | UnsetType = UNSET
    extra: Attributes | UnsetType = UNSET
    power_state_change_timeout_s: TimeoutS | UnsetType | None = UNSET
    soft_power_off_timeout_s: TimeoutS | UnsetType | None = UNSET
    power_check_interval_s: IntervalS | UnsetType | None = UNSET
    resource_class: ResourceClass | UnsetType | None = UNSET
    traits: Annotated[Traits | UnsetType, Meta(description="all of them: they replace those that it has")] = UNSET
    disable_power_off: Annotated[
        bool | UnsetType, Meta(description="it must not be powered off, not even for a reboot")
    ] = UNSET
    protected: Annotated[
        bool | UnsetType, Meta(description="it is not given back, rebuilt or forgotten; only while it is in use")
    ] = UNSET
    protected_reason: Reason | UnsetType | None = UNSET
    retired: Annotated[bool | UnsetType, Meta(description="it is not offered to anybody; not while it is")] = UNSET
    retired_reason: Reason | UnsetType | None = UNSET
    sensor_data_interval_s: IntervalS | UnsetType | None = UNSET
    revision: Annotated[int, Meta(ge=1, description="change only if the node still has this revision")] | None = None
    force: Annotated[bool, Meta(description="accept a BMC address that another node has")] = False
    dry_run: DryRun = False

    makes_work = True
    refusals = (
        errors.NodeNotFound,
        errors.NodeExists,
        errors.BMCAddressTaken,
        errors.NodeLocked,
        errors.NodeLockHeld,
        errors.NodeStateInvalid,
        errors.RevisionStale,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
    role = Role.ADMIN

    def __post_init__(self) -> None:
        """Refuse an interval that is next to none; see _check_interval."""
        _check_interval(self.power_check_interval_s)


class NodeDelete(Verb, frozen=True, kw_only=True, tag="node.delete"):
    """Forget a node. The machine is not touched; its requests stay readable for as long as requests are kept.

    A request that waits ends as cancelled. One that is running is in the way, unless `force` ends it as failed; what
    has been sent to the BMC is not taken back.
    """

    node: NodeArgument
    revision: Annotated[int, Meta(ge=1, description="delete only if the node still has this revision")] | None = None
    force: Annotated[bool, Meta(description="also while a request is running, which then ends as failed")] = False
    dry_run: DryRun = False

    makes_work = True
    idempotent = False
    refusals = (
        errors.NodeNotFound,
        errors.NodeLocked,
        errors.NodeInMaintenance,
        errors.NodeProtected,
        errors.NodeAllocated,
        errors.NodeLockHeld,
        errors.RevisionStale,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
    role = Role.ADMIN


class NodeMaintenanceSet(Verb, frozen=True, kw_only=True, tag="node.maintenance.set"):
    """Put a node into maintenance by hand: nothing but `node.maintenance.unset` ends it. Requests still reach it.

    In maintenance because of a fault, it is in maintenance by hand from then on, and the fault is forgotten.
    """

    node: NodeArgument
    reason: Annotated[str, Meta(min_length=1, max_length=255, description="why; nil: as it was, if by hand")] | None = (
        None
    )
    dry_run: DryRun = False

    makes_work = True
    refusals = _MAINTENANCE
    role = Role.OPERATOR
    version = "1.1"


class NodeMaintenanceUnset(Verb, frozen=True, kw_only=True, tag="node.maintenance.unset"):
    """Take a node out of maintenance, whoever put it there: its reason and its fault are forgotten.

    A node that was put aside because its actor kept failing is tried again.
    """

    node: NodeArgument
    dry_run: DryRun = False

    makes_work = True
    refusals = _MAINTENANCE
    role = Role.OPERATOR
    version = "1.1"


class NodeLockSet(Verb, frozen=True, kw_only=True, tag="node.lock.set"):
    """Keep a node to oneself: what others ask that changes the node or its machine is refused from now on.

    What was accepted before goes on. Whoever has the lock may set it again, with another reason.
    """

    node: NodeArgument
    reason: Annotated[str, Meta(min_length=1, max_length=255, description="why; nil: as it was")] | None = None
    dry_run: DryRun = False

    makes_work = True
    refusals = _LOCK
    role = Role.OPERATOR
    version = "1.1"


class NodeLockUnset(Verb, frozen=True, kw_only=True, tag="node.lock.unset"):
    """Give a node back to everybody. One's own lock, or, with `force`, which takes an admin, anybody's."""

    node: NodeArgument
    force: Annotated[bool, Meta(description="also if somebody else has the lock; for admins")] = False
    dry_run: DryRun = False

    makes_work = True
    refusals = _LOCK
    role = Role.OPERATOR
    version = "1.1"

    def needs(self) -> Role:
        """Return the least role for this message."""
        return Role.ADMIN if self.force else self.role


class NodeExplain(Verb, frozen=True, kw_only=True, tag="node.explain"):
    """Say why a node is not doing what it was asked for: what stands in the way, since when, and what helps.

    Composed of what is on record; no BMC is asked.
    """

    node: NodeArgument

    refusals = (errors.NodeNotFound,)
    role = Role.READER
    version = "1.1"


class NodeRecording(Verb, frozen=True, kw_only=True, tag="node.record"):
    """Read a node's record: its events, its requests, and their exchanges with the BMC, secrets masked, in pages.

    What was refused is in no record; and of an exchange there is what was asked and what came of it, not its bytes.
    """

    node: NodeArgument
    limit: Annotated[int, Meta(ge=1, le=MAX_RECORDED, description="lines at the most")] = MAX_RECORDED
    marker: (
        Annotated[
            str,
            Meta(
                pattern=r"^(event:[0-9]{0,18}|request:[!-~]{0,64})\Z", max_length=72, description="this `next_marker`"
            ),
        ]
        | None
    ) = None

    refusals = (errors.NodeNotFound, errors.RequestNotFound)
    role = Role.READER
    version = "1.1"


def _check_interval(interval_s: float | UnsetType | None) -> None:
    """Refuse an interval that is neither 0 nor long enough.

    Raises:
        ArgumentInvalid: says so.
    """
    if isinstance(interval_s, float | int) and 0 < interval_s < LEAST_INTERVAL_S:
        message = f"Expected 0, or `float` >= {LEAST_INTERVAL_S}, at $.power_check_interval_s."
        raise ArgumentInvalid(message, details={"path": "$.power_check_interval_s"})
