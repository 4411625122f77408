"""Verbs that reach a machine's BMC: each becomes a stored request, with an id and a life."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from castiron.transport import errors
from castiron.transport.errors import CastironError
from castiron.transport.verbs.arguments import CallbackURL, DryRun, Key, MomentAt, NodeArgument, TimeoutS
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import OnRestart, Policy, PowerTarget, ReplyWish, Role


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
    key: Annotated[Key, Meta(description="made by you: one key is one request, for as long as kept")] | None = None
    policy: Annotated[Policy, Meta(description="if another request is in the way")] = Policy.STRICT
    hold: Annotated[bool, Meta(description="wait while the node is in maintenance")] = False
    fresh: Annotated[bool, Meta(description="look at the machine first, then judge the request")] = False
    again: Annotated[bool, Meta(description="once more, even if an equal request has not ended")] = False
    deadline_at: Annotated[MomentAt, Meta(description="if it has not started by then, it expires")] | None = None
    on_restart: Annotated[OnRestart, Meta(description="if the conductor restarts before it has ended")] = (
        OnRestart.RESUME
    )
    callback_url: Annotated[CallbackURL, Meta(description="called once it has ended; section 12")] | None = None
    dry_run: DryRun = False

    becomes_request = True
    makes_work = True
    idempotent = False
    refusals: ClassVar[tuple[type[CastironError], ...]] = (
        errors.NodeNotFound,
        errors.NodeLocked,
        errors.NodeInMaintenance,
        errors.RequestReused,
        errors.RequestExpired,
        errors.MailboxFull,
        errors.StoreUnavailable,
        errors.BMCUnreachable,
        errors.BMCCredentials,
        errors.BMCCertificate,
        errors.BMCBusy,
        errors.BMCFault,
        errors.BMCUnsupported,
        errors.DeadlineExceeded,
    )
    failures: ClassVar[tuple[type[CastironError], ...]] = (
        errors.BMCUnreachable,
        errors.BMCCredentials,
        errors.BMCCertificate,
        errors.BMCUnsupported,
        errors.BMCBusy,
        errors.BMCFault,
        errors.DeadlineExceeded,
        errors.NodeRemoved,
        errors.NodeInMaintenance,
        errors.PreconditionFailed,
        errors.RequestCancelled,
        errors.RequestSuperseded,
        errors.RequestExpired,
        errors.RequestAborted,
        errors.RequestInterrupted,
    )
    """Errors that the request may end with, after it was accepted."""


class NodePowerSet(NodeRequest, frozen=True, kw_only=True, tag="node.power.set"):
    """Drive a machine's power to a target and confirm it by reading the state back."""

    target: Annotated[PowerTarget, Meta(description="what the power shall be")]
    hard_fallback: Annotated[bool, Meta(description="cut the power if a soft power off does not end in time")] = False

    refusals = (*NodeRequest.refusals, errors.NodeLockHeld, errors.PowerOffDisabled)
    failures = (*NodeRequest.failures, errors.PowerStateUnconfirmed, errors.PowerOffDisabled)
    role = Role.OPERATOR


class NodeBootDeviceSet(NodeRequest, frozen=True, kw_only=True, tag="node.boot_device.set"):
    """Set where a machine boots from: the next time, or from now on."""

    boot_device: Annotated[
        Literal["pxe", "disk", "cdrom", "bios", "safe", "floppy"], Meta(description="where to boot from")
    ]
    persistent: Annotated[bool, Meta(description="from now on, not only the next time")] = False
    uefi: Annotated[bool, Meta(description="boot it in UEFI mode")] = False

    refusals = (*NodeRequest.refusals, errors.NodeLockHeld)
    idempotent = True
    role = Role.OPERATOR


class NodeBootDeviceGet(NodeRequest, frozen=True, kw_only=True, tag="node.boot_device.get"):
    """Read from the BMC where a machine will boot from."""

    idempotent = True
    role = Role.OPERATOR  # it changes nothing, and yet it is stored and keeps the node and its BMC busy
