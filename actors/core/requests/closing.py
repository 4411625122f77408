"""How a request ends that has begun: committed, told once, and those that depend on it seen to. Pure.

Both kinds of requests come here: those with one action, and those with a list of steps, which leave the node in another
provision state. May come in: what belongs to every end. Must not: why it ends.
"""

from castiron.actors.core.draft import Draft
from castiron.actors.core.machines.actions import EVENTS, PROVISION_SET, about
from castiron.actors.core.machines.password import FORMER
from castiron.actors.core.provision.moving import arrived, move
from castiron.actors.core.provision.states import after
from castiron.actors.core.requests import tracing
from castiron.actors.core.requests.ending import fail_dependents
from castiron.store.records import EMPTY, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import EventType, ProvisionEvent, RequestState


def close(draft: Draft, request: RequestRecord, error: CastironError | None, by: ProvisionEvent | None = None) -> None:
    """Commit the end of a request, announce it if its start was, and see to those that depend on it.

    Args:
        error: why it failed; None: it succeeded.
        by: the event that leads a node out of the state in which it was worked on; None: it has left it, or failed.
    """
    state = RequestState.SUCCEEDED if error is None else RequestState.FAILED
    failure = None if error is None else error.to_wire()
    applied = None if error is None else error.applied
    request = replace(request, state=state, error=failure, applied=applied, ended_at=draft.now, progress=EMPTY)
    request = replace(request, trace=tracing.ended(request.trace, request, draft.now))
    draft.keep(request)
    if request.verb == PROVISION_SET:
        if FORMER in draft.state.record.other_passwords:
            draft.record(other_passwords={})  # nothing is taken back any more
        _arrive(draft, request, error, by)
    else:
        _announce(draft, request, error)
    draft.state = replace(draft.state, active=None)
    if error is not None:
        fail_dependents(draft, request)


def _announce(draft: Draft, request: RequestRecord, error: CastironError | None) -> None:
    events = EVENTS.get(request.verb)
    if events is None:
        return
    outcome = dict(request.result or {}) if error is None else {"error": request.error}
    payload = {**about(request, draft.state.record), **outcome}
    draft.record(target_power_state=None, last_error=None if error is None else error.message)
    draft.tell(events.end if error is None else events.error, payload, request)


def _arrive(draft: Draft, request: RequestRecord, error: CastironError | None, by: ProvisionEvent | None) -> None:
    """Bring the node out of the state in which it was worked on."""
    if error is None:
        if by is None:
            arrived(draft, request, ProvisionEvent.DONE)
        else:
            move(draft, request, by, EventType.PROVISION_SET_END)
        return
    wanted = ProvisionEvent.ABORT if request.abort_by is not None else ProvisionEvent.FAIL
    now_at = draft.state.record.provision_state
    event = next(one for one in (wanted, ProvisionEvent.FAIL, ProvisionEvent.ABORT) if after(now_at, one) is not None)
    move(draft, request, event, EventType.PROVISION_SET_ERROR, last_error=error.message, error=request.error)
