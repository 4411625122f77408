"""What can be asked of a conductor: one frozen Struct a verb, and the table of them all.

The table feeds the decoder, the command line, PROTOCOL.md and the conformance tests; no other way leads to a verb.
A verb says what it carries, whether it becomes a stored request, whether it may be repeated, and which errors it may
answer. May come in: the shape of what is asked. Must not: what is done about it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, convert, field, to_builtins

from castiron.transport import errors
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import PowerTarget, ReplyWish, RequestState

NAME_PATTERN: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?\Z"
"""Letters, digits, dot, dash, underscore: host names, and nothing that a host range uses for itself. It ends in \\Z, as
$ would let a line feed pass."""

MAX_TIMEOUT_S: Final = 86_400.0
"""A day: longer than any machine takes, short enough that a slip of the keyboard does not last for ever."""

MAX_LIST: Final = 1000
"""Entries in one answer, as Ironic's max_limit."""

MAX_SEQ: Final = 2**63 - 1
"""What a store can count to."""

MAX_TYPES: Final = 64
"""Types, or patterns of them, in one question: more than there are types."""

NewName = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=255, description="name; letters, digits, and . - _")]
NodeArgument = Annotated[str, Meta(min_length=1, max_length=255, description="name or uuid of a node")]
RequestArgument = Annotated[str, Meta(min_length=1, max_length=64, description="id of a request")]
TimeoutS = Annotated[float, Meta(gt=0, le=MAX_TIMEOUT_S, description="seconds")]
IntervalS = Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S, description="seconds; 0: none")]
TypePattern = Annotated[str, Meta(pattern=r"^[a-z_.*]+\Z", max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIST, description="entries at the most")]
DriverName = Annotated[str, Meta(min_length=1, max_length=64, description="how the BMC is spoken to: ipmi, fake")]
AttributeKey = Annotated[str, Meta(min_length=1, max_length=255)]
DriverInfo = Annotated[
    dict[AttributeKey, str | int | float | bool | None],
    Meta(max_length=64, description="what the driver needs, in Ironic's names: ipmi_address, ipmi_username, …"),
]
Attributes = Annotated[dict[AttributeKey, Any], Meta(max_length=256, description="free; values as JSON has them")]


class Verb(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="verb"):
    """What all verbs have in common.

    Attributes:
        becomes_request: it is stored, has an id and a life; otherwise it is answered at once.
        makes_work: it changes something or reaches a BMC; refused while the conductor drains.
        idempotent: sending it twice has the effect of sending it once.
        refusals: errors that it may be answered with, beside those of any message (COMMON_ERRORS).
        version: of the protocol, that brought it.
    """

    becomes_request: ClassVar[bool] = False
    makes_work: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    refusals: ClassVar[tuple[type[CastironError], ...]] = ()
    version: ClassVar[str] = "1.0"


class Hello(Verb, frozen=True, kw_only=True, tag="hello"):
    """Open a conversation: learn who the conductor is, what it speaks, and its limits."""

    client: Annotated[str, Meta(max_length=255, description="what you are, for the log: castiron-python/0.1.0")] = ""


class Ping(Verb, frozen=True, kw_only=True, tag="ping"):
    """Ask whether the conductor is there. Any traffic counts as a sign of life; this makes some."""


class Status(Verb, frozen=True, kw_only=True, tag="status"):
    """Tell how the conductor is: nodes by power state, requests, queues, limits, threads, store."""


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
    power_check_interval_s: IntervalS | UnsetType | None = UNSET
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


class NodeRequest(Verb, frozen=True, kw_only=True):
    """What the verbs that reach a BMC have in common: they are stored, have an id, and can be waited for."""

    node: NodeArgument
    timeout_s: (
        Annotated[
            TimeoutS, Meta(description="seconds for each state to be reached; nil: the node's, or the conductor's")
        ]
        | None
    ) = None
    replies: Annotated[ReplyWish, Meta(description="which replies to send")] = ReplyWish.ACCEPTED

    becomes_request = True
    makes_work = True
    idempotent = False
    refusals = (
        errors.NodeNotFound,
        errors.NodeLocked,
        errors.NodeInMaintenance,
        errors.MailboxFull,
        errors.StoreUnavailable,
    )
    failures: ClassVar[tuple[type[CastironError], ...]] = (
        errors.BMCUnreachable,
        errors.BMCCredentials,
        errors.BMCUnsupported,
        errors.BMCBusy,
        errors.BMCFault,
        errors.DeadlineExceeded,
    )
    """Errors that the request may end with, after it was accepted."""


class NodePowerSet(NodeRequest, frozen=True, kw_only=True, tag="node.power.set"):
    """Drive a machine's power to a target and confirm it by reading the state back."""

    target: Annotated[PowerTarget, Meta(description="what the power shall be")]
    hard_fallback: Annotated[bool, Meta(description="cut the power if a soft power off does not end in time")] = False

    failures = (*NodeRequest.failures, errors.PowerStateUnconfirmed)


class NodeBootDeviceSet(NodeRequest, frozen=True, kw_only=True, tag="node.boot_device.set"):
    """Set where a machine boots from: the next time, or from now on."""

    boot_device: Annotated[
        Literal["pxe", "disk", "cdrom", "bios", "safe", "floppy"], Meta(description="where to boot from")
    ]
    persistent: Annotated[bool, Meta(description="from now on, not only the next time")] = False
    uefi: Annotated[bool, Meta(description="boot it in UEFI mode")] = False

    idempotent = True


class NodeBootDeviceGet(NodeRequest, frozen=True, kw_only=True, tag="node.boot_device.get"):
    """Read from the BMC where a machine will boot from."""

    idempotent = True


class RequestShow(Verb, frozen=True, kw_only=True, tag="request.show"):
    """Show one request: its state, its times, its result or error."""

    request: RequestArgument

    refusals = (errors.RequestNotFound,)


class RequestWait(Verb, frozen=True, kw_only=True, tag="request.wait"):
    """Show one request as soon as it has ended, or as it is when the time is up."""

    request: RequestArgument
    timeout_s: Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S, description="seconds to wait")] = 60.0

    refusals = (errors.RequestNotFound,)


class RequestList(Verb, frozen=True, kw_only=True, tag="request.list"):
    """List requests, the latest first."""

    node: NodeArgument | None = None
    states: (
        Annotated[list[RequestState], Meta(max_length=len(RequestState), description="in these states only")] | None
    ) = None
    limit: Limit = 100
    marker: RequestArgument | None = None

    refusals = (errors.NodeNotFound, errors.RequestNotFound)


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
    version = "1.1"


class NodeHistory(Verb, frozen=True, kw_only=True, tag="node.history"):
    """List the events of one node, the latest first. Each node keeps its latest ones, however busy the others are."""

    node: NodeArgument
    limit: Limit = 100
    before: Annotated[int, Meta(ge=1, le=MAX_SEQ, description="only those whose node_seq is lower")] | None = None

    refusals = (errors.NodeNotFound,)
    version = "1.1"


AnyVerb = (
    Hello
    | Ping
    | Status
    | NodeCreate
    | NodeList
    | NodeShow
    | NodeSet
    | NodeDelete
    | NodePowerSet
    | NodeBootDeviceSet
    | NodeBootDeviceGet
    | RequestShow
    | RequestWait
    | RequestList
    | EventList
    | NodeHistory
)
"""All verbs as one type: a `match` over it that misses one does not pass the type checkers."""

AnyNodeRequest = NodePowerSet | NodeBootDeviceSet | NodeBootDeviceGet
"""The verbs that become stored requests."""

VERBS: Final[Mapping[str, type[AnyVerb]]] = {
    str(verb.__struct_config__.tag): verb
    for verb in (
        Hello,
        Ping,
        Status,
        NodeCreate,
        NodeList,
        NodeShow,
        NodeSet,
        NodeDelete,
        NodePowerSet,
        NodeBootDeviceSet,
        NodeBootDeviceGet,
        RequestShow,
        RequestWait,
        RequestList,
        EventList,
        NodeHistory,
    )
}
"""Tag on the wire → Struct, in the order of the documents."""

COMMON_ERRORS: Final[tuple[type[CastironError], ...]] = (
    errors.FrameMalformed,
    errors.FrameTooLarge,
    errors.VersionUnsupported,
    errors.VerbUnknown,
    errors.ArgumentInvalid,
    errors.ConductorOverloaded,
    errors.ConductorDraining,
    errors.InternalError,
)
"""What any message may be answered with."""


def tag_of(verb: Verb | type[Verb]) -> str:
    """Return the verb's word on the wire, as "node.power.set"."""
    return str(verb.__struct_config__.tag)


def to_map(verb: Verb) -> dict[str, Any]:
    """Return the verb as the map that the wire carries, its word under "verb", unset fields left out."""
    # Binary data stays what it is, so that it is refused by name, and not silently turned into base64 text.
    body: dict[str, Any] = to_builtins(verb, builtin_types=(bytes, bytearray, memoryview))
    return body


def arguments_of(verb: Verb) -> dict[str, Any]:
    """Return what a stored request keeps of its verb: the map of the wire without "verb" and "replies"."""
    body = to_map(verb)
    body.pop("verb")
    body.pop("replies", None)
    return body


def from_arguments(tag: str, arguments: Mapping[str, Any]) -> AnyNodeRequest:
    """Rebuild the verb of a stored request.

    Args:
        tag: the verb's word, one of those that become requests.
        arguments: what `arguments_of` returned.

    Raises:
        msgspec.ValidationError: the store holds what this version does not understand.
    """
    return convert({"verb": tag, **arguments}, AnyNodeRequest)  # type: ignore[no-any-return]  # a union is a type form
