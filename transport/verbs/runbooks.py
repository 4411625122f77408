"""Verbs about runbooks: lists of steps that are stored under a name, and asked for by it."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType, field, structs

from castiron.transport import errors
from castiron.transport.verbs.arguments import MAX_LIST, Attributes, DryRun, Limit, NewName, NodeArgument, Traits
from castiron.transport.verbs.provisioning import MAX_STEPS, RunbookArgument, StepWish
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import Role

MAX_RUNBOOKS: Final = 1000
"""As many as one page lists: people write them, and a fleet has some ten; each is held in memory."""

MAX_RUNBOOK_BYTES: Final = 65_536
"""What the steps and the `extra` of one may take as JSON: as much as the largest message could bring at once."""


class RunbookStep(StepWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of a runbook: one as `node.provision.set` takes it, with its place if the list is not in order."""

    order: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """As in Ironic: the lowest first. All steps of a runbook have one, or none has; with it none has a `priority`."""


Steps = Annotated[
    list[RunbookStep], Meta(min_length=1, max_length=MAX_STEPS, description="what is to be done; at least one step")
]
BookTraits = Annotated[Traits, Meta(description="a node needs one of them; none: it needs the name, which is one then")]
Description = Annotated[str, Meta(max_length=255, description="what it is for")]
BookRevision = Annotated[int, Meta(ge=1, description="only if the runbook still has this revision")]


class RunbookCreate(Verb, frozen=True, kw_only=True, tag="runbook.create"):
    """Store a list of steps under a name. It is checked whole against the steps that there are; see section 9.5."""

    name: NewName
    steps: Steps
    description: Description | None = None
    traits: BookTraits = field(default_factory=list[str])
    extra: Attributes = field(default_factory=dict[str, Any])
    dry_run: DryRun = False

    makes_work = True
    idempotent = False
    refusals = (errors.RunbookExists, errors.RunbooksFull, errors.StepInvalid, errors.StoreUnavailable)
    role = Role.ADMIN
    version = "1.1"


class RunbookList(Verb, frozen=True, kw_only=True, tag="runbook.list"):
    """List runbooks, sorted by name, without their steps."""

    node: Annotated[NodeArgument, Meta(description="only those that this node has a trait for")] | None = None
    limit: Limit = MAX_LIST
    marker: Annotated[str, Meta(max_length=255, description="begin behind this `next_marker`, a name")] | None = None

    refusals = (errors.NodeNotFound,)
    role = Role.READER
    version = "1.1"


class RunbookShow(Verb, frozen=True, kw_only=True, tag="runbook.show"):
    """Show one runbook with its steps, secrets masked, and which kinds of lists it can be."""

    runbook: RunbookArgument

    refusals = (errors.RunbookNotFound,)
    role = Role.READER
    version = "1.1"


class RunbookSet(Verb, frozen=True, kw_only=True, tag="runbook.set"):
    """Change a runbook. Requests that were accepted with it keep the steps that it had then.

    `steps` and `traits` replace those that it has; a key of `extra` is set, or removed where nil.
    """

    runbook: RunbookArgument
    name: NewName | UnsetType = UNSET
    steps: Steps | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    traits: BookTraits | UnsetType = UNSET
    extra: Attributes | UnsetType = UNSET
    revision: BookRevision | None = None
    dry_run: DryRun = False

    makes_work = True
    refusals = (
        errors.RunbookNotFound,
        errors.RunbookExists,
        errors.RunbookStale,
        errors.StepInvalid,
        errors.StoreUnavailable,
    )
    role = Role.ADMIN
    version = "1.1"


class RunbookDelete(Verb, frozen=True, kw_only=True, tag="runbook.delete"):
    """Forget a runbook. Requests that were accepted with it go on with the steps that it had."""

    runbook: RunbookArgument
    revision: BookRevision | None = None
    dry_run: DryRun = False

    makes_work = True
    idempotent = False
    refusals = (errors.RunbookNotFound, errors.RunbookStale, errors.StoreUnavailable)
    role = Role.ADMIN
    version = "1.1"


def step_map(step: RunbookStep) -> dict[str, Any]:
    """Return a step as the wire has it, without what it leaves to the rule."""
    told = structs.asdict(step)
    return {name: value for name, value in told.items() if name == "step" or value != getattr(_RULE, name)}


_RULE: Final = RunbookStep(step="rule")

AnyRunbookChange = RunbookCreate | RunbookSet | RunbookDelete
"""The verbs that the fleet's actor decides about."""
