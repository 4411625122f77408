"""Verbs about nodes as the conductor knows them: none of them reaches a BMC."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from castiron.transport import errors
from castiron.transport.verbs.arguments import (
    MAX_LIST,
    Attributes,
    DriverInfo,
    DriverName,
    Limit,
    NewName,
    NodeArgument,
    TimeoutS,
)
from castiron.transport.verbs.verb import Verb


class NodeCreate(Verb, frozen=True, kw_only=True, tag="node.create"):
    """Make a node known. Its BMC is not asked: a wrong password shows at the first use."""

    name: NewName
    driver: DriverName = "ipmi"
    driver_info: DriverInfo = field(default_factory=dict[str, str | int | float | bool | None])
    properties: Attributes = field(default_factory=dict[str, Any])
    extra: Attributes = field(default_factory=dict[str, Any])
    power_state_change_timeout_s: TimeoutS | None = None
    soft_power_off_timeout_s: TimeoutS | None = None
    force: Annotated[bool, Meta(description="accept a BMC address that another node has")] = False

    makes_work = True
    idempotent = False
    refusals = (errors.NodeExists, errors.BMCAddressTaken, errors.StoreUnavailable)


class NodeList(Verb, frozen=True, kw_only=True, tag="node.list"):
    """List nodes, sorted by name. Answered from memory: no BMC is asked, no actor disturbed."""

    nodes: Annotated[list[NodeArgument], Meta(max_length=MAX_LIST, description="these only")] | None = None
    limit: Limit = MAX_LIST
    marker: Annotated[str, Meta(max_length=255, description="begin after the node of this name")] | None = None

    refusals = (errors.NodeNotFound,)


class NodeShow(Verb, frozen=True, kw_only=True, tag="node.show"):
    """Show one node: what was observed and when, what is under way, which verbs it would accept now."""

    node: NodeArgument

    refusals = (errors.NodeNotFound,)


class NodeSet(Verb, frozen=True, kw_only=True, tag="node.set"):
    """Change attributes of a node. A key of a map is set to its value, and removed where that is nil."""

    node: NodeArgument
    name: NewName | UnsetType = UNSET
    driver: DriverName | UnsetType = UNSET
    driver_info: DriverInfo | UnsetType = UNSET
    properties: Attributes | UnsetType = UNSET
    extra: Attributes | UnsetType = UNSET
    power_state_change_timeout_s: TimeoutS | UnsetType | None = UNSET
    soft_power_off_timeout_s: TimeoutS | UnsetType | None = UNSET
    revision: Annotated[int, Meta(ge=1, description="change only if the node still has this revision")] | None = None
    force: Annotated[bool, Meta(description="accept a BMC address that another node has")] = False

    makes_work = True
    refusals = (
        errors.NodeNotFound,
        errors.NodeExists,
        errors.BMCAddressTaken,
        errors.NodeLocked,
        errors.RevisionStale,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )


class NodeDelete(Verb, frozen=True, kw_only=True, tag="node.delete"):
    """Forget a node. The machine is not touched; its requests stay readable for as long as requests are kept."""

    node: NodeArgument
    revision: Annotated[int, Meta(ge=1, description="delete only if the node still has this revision")] | None = None

    makes_work = True
    idempotent = False
    refusals = (
        errors.NodeNotFound,
        errors.NodeLocked,
        errors.RevisionStale,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
