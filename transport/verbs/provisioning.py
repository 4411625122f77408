"""Verbs that move a node: the one that becomes a stored request, and those that are decided at once."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field, structs

from castiron.transport import errors
from castiron.transport.verbs.arguments import DryRun, NodeArgument, TimeoutS
from castiron.transport.verbs.machines import NodeBootDeviceGet, NodeBootDeviceSet, NodePowerSet, NodeRequest
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import EngineMode, ProvisionTarget, Role

MAX_STEPS: Final = 64
"""Of one list: more than any runbook of the field has, and little enough to be committed with each step."""

MAX_TOKEN: Final = 256

RunbookArgument = Annotated[str, Meta(min_length=1, max_length=255, description="name or uuid of a runbook")]
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.#-]*\Z")]
StepArgs = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], Any], Meta(max_length=64)]


class StepWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step as it is asked for: which, with what, and how it is to be treated."""

    step: Word
    """Which."""
    interface: Word | None = None
    """Nil: the only one that has such a step; the reserved steps have none."""
    args: StepArgs = field(default_factory=dict[str, Any])
    """What it takes."""
    name: Word | None = None
    """What others call it in `after`; nil: interface.step."""
    priority: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """The highest first; nil: in the order of the list."""
    abortable: bool | None = None
    """Whether an abort may end it; nil: as the step says of itself."""
    timeout_s: Annotated[float, Meta(gt=0, le=7 * 86_400.0)] | None = None
    """For each attempt; nil: as the step says of itself."""
    after: Annotated[list[Word], Meta(max_length=MAX_STEPS)] | None = None
    """Names of steps that must have succeeded; nil: all before it."""
    retries: Annotated[int, Meta(ge=0, le=100)] = 0
    """How often it is tried again."""
    retry_delay_s: Annotated[float, Meta(ge=0, le=86_400.0)] = 0.0
    """How long after a failure."""


_MOVES = (
    errors.NodeNotFound,
    errors.NodeLocked,
    errors.NodeInMaintenance,
    errors.NodeStateInvalid,
    errors.NodeLockHeld,
)
_ANSWERS = (
    errors.NodeNotFound,
    errors.NodeInMaintenance,
    errors.StepNotWaiting,
    errors.StepTokenInvalid,
    errors.MailboxFull,
)


class NodeProvisionSet(NodeRequest, frozen=True, kw_only=True, tag="node.provision.set"):
    """Move a node to another provision state: begin the work that leads there, step by step."""

    target: Annotated[ProvisionTarget, Meta(description="what is wanted of the node")]
    timeout_s: (
        Annotated[
            TimeoutS,
            Meta(description="seconds for the whole move, waits and holds included; nil: each step has its own only"),
        ]
        | None
    ) = None
    steps: (
        Annotated[
            list[StepWish], Meta(max_length=MAX_STEPS, description="what is to be done; nil: what the driver does")
        ]
        | None
    ) = None
    runbook: (
        Annotated[RunbookArgument, Meta(description="name or uuid of the runbook whose steps are taken, not `steps`")]
        | None
    ) = None
    engine_mode: Annotated[EngineMode, Meta(description="how the steps run; nil: as the settings say")] | None = None

    refusals = (
        *NodeRequest.refusals,
        errors.NodeStateInvalid,
        errors.StepInvalid,
        errors.RunbookNotFound,
        errors.RunbookTraitMissing,
        errors.NodeProtected,
        errors.NodeRetired,
        errors.NodeLockHeld,
        errors.PowerOffDisabled,
    )
    failures = (
        *NodeRequest.failures,
        errors.PowerStateUnconfirmed,
        errors.PowerOffDisabled,
        errors.NodeStateInvalid,
        errors.NodeProtected,
        errors.NodeRetired,
        errors.StepFailed,
        errors.StepTimeout,
        errors.StepInterrupted,
    )
    role = Role.OPERATOR
    version = "1.1"

    def with_steps(self, steps: list[StepWish]) -> "NodeProvisionSet":
        """Return the same with other steps: those of the runbook that it names."""
        return structs.replace(self, steps=steps)


class NodeProvisionAbort(Verb, frozen=True, kw_only=True, tag="node.provision.abort"):
    """End the work on a node, whatever state it is in: the running step is asked to stop, what can be is taken back."""

    node: NodeArgument
    dry_run: DryRun = False

    makes_work = True
    refusals = (*_MOVES, errors.MailboxFull, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class NodeProvisionHold(Verb, frozen=True, kw_only=True, tag="node.provision.hold"):
    """Have the work on a node stop before its next step. Idempotent."""

    node: NodeArgument
    dry_run: DryRun = False

    makes_work = True
    refusals = (*_MOVES, errors.MailboxFull, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class NodeProvisionUnhold(Verb, frozen=True, kw_only=True, tag="node.provision.unhold"):
    """Let the work on a node go on that was held."""

    node: NodeArgument
    dry_run: DryRun = False

    makes_work = True
    refusals = (*_MOVES, errors.MailboxFull, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class NodeStepDone(Verb, frozen=True, kw_only=True, tag="node.step.done"):
    """Say how a step ended that you carry out: it succeeded, with a result, or failed, with a reason."""

    node: NodeArgument
    token: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, description="what you were given for this step")]
    result: Annotated[StepArgs, Meta(description="what came of it")] = field(default_factory=dict[str, Any])
    error: (
        Annotated[str, Meta(min_length=1, max_length=1000, description="why it failed; nil: it succeeded")] | None
    ) = None

    makes_work = True
    idempotent = False
    refusals = (*_ANSWERS, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class NodeStepProgress(Verb, frozen=True, kw_only=True, tag="node.step.progress"):
    """Give a sign of life for a step that you carry out: its time begins anew. With what is to be told, if anything."""

    node: NodeArgument
    token: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, description="what you were given for this step")]
    progress: Annotated[StepArgs, Meta(description="what is to be told; empty: nothing")] = field(
        default_factory=dict[str, Any]
    )

    makes_work = True
    refusals = (*_ANSWERS, errors.StoreUnavailable)
    role = Role.OPERATOR
    version = "1.1"


class NodeStepList(Verb, frozen=True, kw_only=True, tag="node.step.list"):
    """Say where the steps stand that are worked through on a node; none, if nothing is.

    A step that waits for somebody is listed with its token: whoever has it may say how the step ended.
    """

    node: NodeArgument

    refusals = (errors.NodeNotFound,)
    role = Role.OPERATOR  # a token is as good as the right to say how a step ended
    version = "1.1"


AnyProvisionOrder = NodeProvisionAbort | NodeProvisionHold | NodeProvisionUnhold
"""Verbs that are decided at once, about the work that is going on."""

AnyNodeRequest = NodePowerSet | NodeBootDeviceSet | NodeBootDeviceGet | NodeProvisionSet
"""The verbs that become stored requests."""
