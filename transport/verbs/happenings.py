"""Verbs about what has happened: the stream of events, one node's share of it, and what was read of its sensors."""

from typing import Annotated

from msgspec import Meta

from castiron.transport import errors
from castiron.transport.verbs.arguments import MAX_LIST, MAX_SEQ, MAX_TYPES, Limit, NodeArgument, TypePattern
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import Role


class EventList(Verb, frozen=True, kw_only=True, tag="event.list"):
    """List events in the order of their numbers, from the store. What was published is here, for as long as kept."""

    since: (
        Annotated[int, Meta(ge=0, le=MAX_SEQ, description="after the event of this number; nil: from the oldest kept")]
        | None
    ) = None
    limit: Limit = MAX_LIST
    nodes: Annotated[list[NodeArgument], Meta(max_length=MAX_LIST, description="of these nodes only")] | None = None
    types: (
        Annotated[list[TypePattern], Meta(max_length=MAX_TYPES, description="of these types only, as node.power_set.*")]
        | None
    ) = None

    refusals = (errors.NodeNotFound,)
    role = Role.READER
    version = "1.1"


class NodeHistory(Verb, frozen=True, kw_only=True, tag="node.history"):
    """List the events of one node, the latest first. Each node keeps its latest ones, however busy the others are."""

    node: NodeArgument
    limit: Limit = 100
    before: Annotated[int, Meta(ge=1, le=MAX_SEQ, description="only those whose node_seq is lower")] | None = None

    refusals = (errors.NodeNotFound,)
    role = Role.READER
    version = "1.1"


class NodeSensorList(Verb, frozen=True, kw_only=True, tag="node.sensor.list"):
    """List a node's sensors as they were read last. The BMC is not asked."""

    node: NodeArgument

    refusals = (errors.NodeNotFound,)
    role = Role.READER
    version = "1.1"
