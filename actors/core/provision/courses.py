"""The course of each verb: the event that it is, the kind of steps that each state works through, and how that ends.

May come in: a row for a verb or a state with work. Must not: where an event leads (`states`), what a step does.
"""

from collections.abc import Mapping
from typing import Final

from castiron.actors.settings import Settings
from castiron.transport.vocabulary import ProvisionEvent as On
from castiron.transport.vocabulary import ProvisionState as In
from castiron.transport.vocabulary import ProvisionTarget as Target
from castiron.transport.vocabulary import StepKind as Kind

EVENTS_OF: Final[Mapping[Target, On]] = {
    Target.MANAGE: On.MANAGE,
    Target.PROVIDE: On.PROVIDE,
    Target.INSPECT: On.INSPECT,
    Target.ADOPT: On.ADOPT,
    Target.DEPLOY: On.DEPLOY,
    Target.UNDEPLOY: On.DELETE,
    Target.REBUILD: On.REBUILD,
    Target.CLEAN: On.CLEAN,
    Target.RESCUE: On.RESCUE,
    Target.UNRESCUE: On.UNRESCUE,
    Target.SERVICE: On.SERVICE,
}
"""What is asked for → the event that it is."""

KINDS: Final[Mapping[In, Kind]] = {
    In.VERIFYING: Kind.VERIFY,
    In.INSPECTING: Kind.INSPECT,
    In.CLEANING: Kind.CLEAN,
    In.ADOPTING: Kind.ADOPT,
    In.DEPLOYING: Kind.DEPLOY,
    In.DELETING: Kind.UNDEPLOY,
    In.RESCUING: Kind.RESCUE,
    In.UNRESCUING: Kind.UNRESCUE,
    In.SERVICING: Kind.SERVICE,
}
"""State with work → the kind of its steps."""

NEXT: Final[Mapping[In, On]] = {
    stage: On.CLEAN if stage is In.DELETING else On.DONE  # what an owner gives back is cleaned in the same request
    for stage in KINDS
}
"""State with work → the event when all of it has succeeded, unless it was cleaned by hand."""

BY_HAND: Final = frozenset({Target.CLEAN})
"""What leads back to where it was asked for: `manageable`."""


def finish_of(stage: In, target: Target, *, is_retired: bool) -> On:
    """Return the event of a list that has succeeded. What is retired is cleaned, and then not offered."""
    is_kept = target in BY_HAND or (is_retired and stage is In.CLEANING)
    return On.MANAGE if is_kept else NEXT[stage]


def stages_of(target: Target) -> tuple[Kind, ...]:
    """Return the kinds of steps that a verb may come to work through, in order."""
    return _STAGES[target]


_STAGES: Final[Mapping[Target, tuple[Kind, ...]]] = {
    Target.MANAGE: (Kind.VERIFY,),
    Target.PROVIDE: (Kind.CLEAN,),
    Target.INSPECT: (Kind.INSPECT,),
    Target.ADOPT: (Kind.ADOPT,),
    Target.DEPLOY: (Kind.DEPLOY,),
    Target.UNDEPLOY: (Kind.UNDEPLOY, Kind.CLEAN),
    Target.REBUILD: (Kind.DEPLOY,),
    Target.CLEAN: (Kind.CLEAN,),
    Target.RESCUE: (Kind.RESCUE,),
    Target.UNRESCUE: (Kind.UNRESCUE,),
    Target.SERVICE: (Kind.SERVICE,),
}


def call_back_timeout_s(stage: In, settings: Settings) -> float:
    """Return how long somebody who was told to call back may be silent in a state; 0: for ever."""
    match KINDS[stage]:
        case Kind.CLEAN:
            return settings.clean_callback_timeout_s
        case Kind.SERVICE:
            return settings.service_callback_timeout_s
        case Kind.RESCUE | Kind.UNRESCUE:
            return settings.rescue_callback_timeout_s
        case Kind.INSPECT:
            return settings.inspect_wait_timeout_s
        case _:
            return settings.deploy_callback_timeout_s
