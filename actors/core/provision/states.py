"""The provision state machine, as a table: which event leads from which state to which, and why.

TRANSITIONS are Ironic's 93 rows; ABORTS are ours, beside them: work that is going on can be aborted as well. A pair
that is in neither is refused. May come in: a row, with its reason. Must not: what is done in a state.

Source: the reference's states and events, by name; the reasons are ours.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from castiron.transport.vocabulary import ProvisionEvent as On
from castiron.transport.vocabulary import ProvisionState as In


class Row(NamedTuple):
    """Where an event leads, and why."""

    to: In
    why: str


_FAILED: Final = "the work did not succeed; the reason is in last_error"
_WAIT: Final = "a step has begun whose end somebody else tells"
_RESUME: Final = "whoever was waited for has answered"
_LATE: Final = "nobody answered in time, or the answer was bad"
_HOLD: Final = "somebody, or a step, wants it to stop between two steps"
_GIVE_UP: Final = "nobody wants it any more, and nothing is being done at this moment"
_TEAR_DOWN: Final = "whoever had the machine gives it back"
_AGAIN: Final = "the cause is gone: try again"

_NOT_HERE: Final = "the reference's; nothing does it here: a list that has failed has ended, and none is left to go on"
_NO_HOLD: Final = (
    "the reference's; no verb leads here: a list that has failed has ended, and unhold has nothing to go on with"
)

TRANSITIONS: Final[Mapping[tuple[In, On], Row]] = {
    (In.ENROLL, On.MANAGE): Row(In.VERIFYING, "whoever is to be managed must answer first"),
    (In.VERIFYING, On.DONE): Row(In.MANAGEABLE, "the BMC answers, with these credentials"),
    (In.VERIFYING, On.FAIL): Row(In.ENROLL, "nothing is known of it still"),
    (In.MANAGEABLE, On.PROVIDE): Row(In.CLEANING, "what is offered to others is cleaned first"),
    (In.MANAGEABLE, On.CLEAN): Row(In.CLEANING, "cleaning by hand, with the steps that were asked for"),
    (In.MANAGEABLE, On.INSPECT): Row(In.INSPECTING, "its properties are read from the machine"),
    (In.MANAGEABLE, On.ADOPT): Row(In.ADOPTING, "it is in use already, and nothing of it is to change"),
    (In.AVAILABLE, On.DEPLOY): Row(In.DEPLOYING, "somebody takes it"),
    (In.AVAILABLE, On.MANAGE): Row(In.MANAGEABLE, "it is taken off the shelf; nothing is done to it"),
    (In.DEPLOYING, On.DONE): Row(In.ACTIVE, "all steps succeeded"),
    (In.DEPLOYING, On.FAIL): Row(In.DEPLOY_FAILED, _FAILED),
    (In.DEPLOYING, On.WAIT): Row(In.DEPLOY_WAIT, _WAIT),
    (In.DEPLOYING, On.HOLD): Row(In.DEPLOY_HOLD, _HOLD),
    (In.DEPLOY_WAIT, On.RESUME): Row(In.DEPLOYING, _RESUME),
    (In.DEPLOY_WAIT, On.FAIL): Row(In.DEPLOY_FAILED, _LATE),
    (In.DEPLOY_WAIT, On.ABORT): Row(In.DEPLOY_FAILED, _GIVE_UP),
    (In.DEPLOY_WAIT, On.HOLD): Row(In.DEPLOY_HOLD, _HOLD),
    (In.DEPLOY_WAIT, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.DEPLOY_HOLD, On.UNHOLD): Row(In.DEPLOY_WAIT, "it goes on where it stood"),
    (In.DEPLOY_HOLD, On.ABORT): Row(In.DEPLOY_FAILED, _GIVE_UP),
    (In.DEPLOY_FAILED, On.REBUILD): Row(In.DEPLOYING, _AGAIN),
    (In.DEPLOY_FAILED, On.DEPLOY): Row(In.DEPLOYING, _AGAIN),
    (In.DEPLOY_FAILED, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.ACTIVE, On.REBUILD): Row(In.DEPLOYING, "the same owner, from the beginning"),
    (In.ACTIVE, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.ACTIVE, On.RESCUE): Row(In.RESCUING, "its owner cannot get in any more"),
    (In.ACTIVE, On.SERVICE): Row(In.SERVICING, "something of it is changed while it keeps its owner"),
    (In.DELETING, On.CLEAN): Row(In.CLEANING, "nothing of the owner may be left for the next one"),
    (In.DELETING, On.FAIL): Row(In.ERROR, "it is neither its owner's nor anybody's"),
    (In.ERROR, On.REBUILD): Row(In.DEPLOYING, _AGAIN),
    (In.ERROR, On.DELETE): Row(In.DELETING, _AGAIN),
    (In.CLEANING, On.DONE): Row(In.AVAILABLE, "it was cleaned to be offered"),
    (In.CLEANING, On.MANAGE): Row(In.MANAGEABLE, "it was cleaned by hand"),
    (In.CLEANING, On.FAIL): Row(In.CLEAN_FAILED, _FAILED),
    (In.CLEANING, On.WAIT): Row(In.CLEAN_WAIT, _WAIT),
    (In.CLEANING, On.HOLD): Row(In.CLEAN_HOLD, _HOLD),
    (In.CLEAN_WAIT, On.RESUME): Row(In.CLEANING, _RESUME),
    (In.CLEAN_WAIT, On.FAIL): Row(In.CLEAN_FAILED, _LATE),
    (In.CLEAN_WAIT, On.ABORT): Row(In.CLEAN_FAILED, _GIVE_UP),
    (In.CLEAN_WAIT, On.HOLD): Row(In.CLEAN_HOLD, _HOLD),
    (In.CLEAN_HOLD, On.UNHOLD): Row(In.CLEAN_WAIT, "it goes on where it stood"),
    (In.CLEAN_HOLD, On.ABORT): Row(In.CLEAN_FAILED, _GIVE_UP),
    (In.CLEAN_FAILED, On.MANAGE): Row(In.MANAGEABLE, "somebody has looked at it"),
    (In.INSPECTING, On.DONE): Row(In.MANAGEABLE, "its properties are known"),
    (In.INSPECTING, On.FAIL): Row(In.INSPECT_FAILED, _FAILED),
    (In.INSPECTING, On.WAIT): Row(In.INSPECT_WAIT, _WAIT),
    (In.INSPECT_WAIT, On.DONE): Row(In.MANAGEABLE, "the answer had all that was wanted"),
    (In.INSPECT_WAIT, On.RESUME): Row(In.INSPECTING, _RESUME),
    (In.INSPECT_WAIT, On.FAIL): Row(In.INSPECT_FAILED, _LATE),
    (In.INSPECT_WAIT, On.ABORT): Row(In.INSPECT_FAILED, _GIVE_UP),
    (In.INSPECT_FAILED, On.MANAGE): Row(In.MANAGEABLE, "what is known of it will do"),
    (In.INSPECT_FAILED, On.INSPECT): Row(In.INSPECTING, _AGAIN),
    (In.ADOPTING, On.DONE): Row(In.ACTIVE, "it is in use, and watched from now on"),
    (In.ADOPTING, On.FAIL): Row(In.ADOPT_FAILED, _FAILED),
    (In.ADOPT_FAILED, On.ADOPT): Row(In.ADOPTING, _AGAIN),
    (In.ADOPT_FAILED, On.MANAGE): Row(In.MANAGEABLE, "it is not adopted after all"),
    (In.RESCUING, On.DONE): Row(In.RESCUE, "its owner can get in"),
    (In.RESCUING, On.WAIT): Row(In.RESCUE_WAIT, _WAIT),
    (In.RESCUING, On.FAIL): Row(In.RESCUE_FAILED, _FAILED),
    (In.RESCUE_WAIT, On.RESUME): Row(In.RESCUING, _RESUME),
    (In.RESCUE_WAIT, On.FAIL): Row(In.RESCUE_FAILED, _LATE),
    (In.RESCUE_WAIT, On.ABORT): Row(In.RESCUE_FAILED, _GIVE_UP),
    (In.RESCUE_WAIT, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.RESCUE, On.RESCUE): Row(In.RESCUING, "once more"),
    (In.RESCUE, On.UNRESCUE): Row(In.UNRESCUING, "its owner has what was wanted"),
    (In.RESCUE, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.RESCUE_FAILED, On.RESCUE): Row(In.RESCUING, _AGAIN),
    (In.RESCUE_FAILED, On.UNRESCUE): Row(In.UNRESCUING, "back to how it was"),
    (In.RESCUE_FAILED, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.UNRESCUING, On.DONE): Row(In.ACTIVE, "it boots its own system again"),
    (In.UNRESCUING, On.FAIL): Row(In.UNRESCUE_FAILED, _FAILED),
    (In.UNRESCUE_FAILED, On.RESCUE): Row(In.RESCUING, "its owner needs to get in once more"),
    (In.UNRESCUE_FAILED, On.UNRESCUE): Row(In.UNRESCUING, _AGAIN),
    (In.UNRESCUE_FAILED, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.SERVICING, On.DONE): Row(In.ACTIVE, "all steps succeeded"),
    (In.SERVICING, On.FAIL): Row(In.SERVICE_FAILED, _FAILED),
    (In.SERVICING, On.WAIT): Row(In.SERVICE_WAIT, _WAIT),
    (In.SERVICING, On.HOLD): Row(In.SERVICE_HOLD, _HOLD),
    (In.SERVICE_WAIT, On.RESUME): Row(In.SERVICING, _RESUME),
    (In.SERVICE_WAIT, On.FAIL): Row(In.SERVICE_FAILED, _LATE),
    (In.SERVICE_WAIT, On.ABORT): Row(In.SERVICE_FAILED, _GIVE_UP),
    (In.SERVICE_WAIT, On.HOLD): Row(In.SERVICE_HOLD, _HOLD),
    (In.SERVICE_WAIT, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.SERVICE_HOLD, On.SERVICE): Row(In.SERVICING, "other steps, instead of those that are held"),
    (In.SERVICE_HOLD, On.UNHOLD): Row(In.SERVICE_WAIT, "it goes on where it stood"),
    (In.SERVICE_HOLD, On.FAIL): Row(In.SERVICE_FAILED, _FAILED),
    (In.SERVICE_HOLD, On.ABORT): Row(In.SERVICE_FAILED, _GIVE_UP),
    (In.SERVICE_FAILED, On.SERVICE): Row(In.SERVICING, _AGAIN),
    (In.SERVICE_FAILED, On.RESCUE): Row(In.RESCUING, "its owner cannot get in any more"),
    (In.SERVICE_FAILED, On.WAIT): Row(In.SERVICE_WAIT, _NOT_HERE),
    (In.SERVICE_FAILED, On.HOLD): Row(In.SERVICE_HOLD, _NO_HOLD),
    (In.SERVICE_FAILED, On.DELETE): Row(In.DELETING, _TEAR_DOWN),
    (In.SERVICE_FAILED, On.ABORT): Row(In.ACTIVE, "what failed is left as it is, and the machine is in use"),
}
"""(state, event) → where it leads: the reference's rows, all 93."""

_STOPPED: Final = "the running step was asked to stop and what can be taken back was; nobody wants it any more"

ABORTS: Final[Mapping[tuple[In, On], Row]] = {
    (In.VERIFYING, On.ABORT): Row(In.ENROLL, _STOPPED),
    (In.DEPLOYING, On.ABORT): Row(In.DEPLOY_FAILED, _STOPPED),
    (In.CLEANING, On.ABORT): Row(In.CLEAN_FAILED, _STOPPED),
    (In.INSPECTING, On.ABORT): Row(In.INSPECT_FAILED, _STOPPED),
    (In.ADOPTING, On.ABORT): Row(In.ADOPT_FAILED, _STOPPED),
    (In.RESCUING, On.ABORT): Row(In.RESCUE_FAILED, _STOPPED),
    (In.UNRESCUING, On.ABORT): Row(In.UNRESCUE_FAILED, _STOPPED),
    (In.SERVICING, On.ABORT): Row(In.SERVICE_FAILED, _STOPPED),
    (In.DELETING, On.ABORT): Row(In.ERROR, _STOPPED),
}
"""Beyond the reference: work that is going on can be aborted. The same failed states as its own rows lead to."""

STABLE: Final = frozenset({In.ENROLL, In.MANAGEABLE, In.AVAILABLE, In.ACTIVE, In.ERROR, In.RESCUE})
"""Where a node may stay, and nobody waits for anything."""

TARGETS: Final[Mapping[In, In]] = {
    In.VERIFYING: In.MANAGEABLE,
    In.DEPLOYING: In.ACTIVE,
    In.DEPLOY_WAIT: In.ACTIVE,
    In.DEPLOY_HOLD: In.ACTIVE,
    In.DEPLOY_FAILED: In.ACTIVE,
    In.DELETING: In.AVAILABLE,
    In.CLEANING: In.AVAILABLE,
    In.CLEAN_WAIT: In.AVAILABLE,
    In.CLEAN_HOLD: In.AVAILABLE,
    In.CLEAN_FAILED: In.AVAILABLE,
    In.INSPECTING: In.MANAGEABLE,
    In.INSPECT_WAIT: In.MANAGEABLE,
    In.INSPECT_FAILED: In.MANAGEABLE,
    In.ADOPTING: In.ACTIVE,
    In.ADOPT_FAILED: In.ACTIVE,
    In.RESCUING: In.RESCUE,
    In.RESCUE_WAIT: In.RESCUE,
    In.RESCUE_FAILED: In.RESCUE,
    In.UNRESCUING: In.ACTIVE,
    In.UNRESCUE_FAILED: In.ACTIVE,
    In.SERVICING: In.ACTIVE,
    In.SERVICE_WAIT: In.ACTIVE,
    In.SERVICE_HOLD: In.ACTIVE,
    In.SERVICE_FAILED: In.ACTIVE,
}
"""State → where a node in it is meant to come to, unless whoever asked meant another state."""

WORKING: Final = frozenset(state for state, event in ABORTS if event is On.ABORT)
"""States in which something is done to the machine."""


def after(state: In, event: On) -> In | None:
    """Return where an event leads; None: it means nothing in this state."""
    row = TRANSITIONS.get((state, event)) or ABORTS.get((state, event))
    return None if row is None else row.to


def events_of(state: In) -> tuple[On, ...]:
    """Return the events that mean something in a state, in the order of the tables."""
    return tuple(event for at, event in (*TRANSITIONS, *ABORTS) if at is state)


def held_from(state: In) -> In | None:
    """Return where a node in this state stops between two steps; None: it cannot be held."""
    return after(state, On.HOLD)
