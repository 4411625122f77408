"""What a message would do: read off the decision that would follow from it, which is then thrown away. Pure.

So a forecast is right as long as decisions are: there is no second place that judges. May come in: what else of a
decision is worth telling. Must not: a judgement.
"""

from dataclasses import fields
from typing import Final, assert_never

from castiron.actors.core.effects import Accept, Decision, Foretell, Refuse
from castiron.actors.core.messages import Amend, Direct, Preview, Remove, SetLock, SetMaintenance, Submit, Withdraw
from castiron.actors.core.state import NodeState
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.replies import Forecast
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestID, Would

SILENT: Final = frozenset({"revision", "updated_at", "node_seq", "secret_keys", "bmc_address"})
"""Fields of a record that follow from others."""


def foretold(state: NodeState, preview: Preview, decision: Decision) -> Decision:
    """Return what is said instead of a decision; the state stays.

    Args:
        decision: what would follow from the message.
    """
    for effect in decision.effects:
        if isinstance(effect, Refuse):
            return Decision(state, (Refuse(preview.reply_to, effect.error),))
    return Decision(state, (Foretell(preview.reply_to, _forecast(state, preview.message, decision)),))


def same_request(request: RequestRecord) -> Forecast:
    """Return what comes of a key that is known."""
    text = f"The key is that of request {request.id}, which would be answered."
    return Forecast(would=Would.MERGE, text=text, node=request.node_name, request=request.id)


def _forecast(
    state: NodeState,
    message: Submit | Withdraw | Amend | Remove | SetMaintenance | SetLock | Direct,
    decision: Decision,
) -> Forecast:
    match message:
        case Submit():
            return _of_request(state, message, decision)
        case Withdraw(request_id=request_id):
            return _of_withdrawal(state, request_id, decision)
        case Remove():
            name = state.record.name
            return Forecast(would=Would.DELETE, text=f"{name} would be forgotten.", node=name, ends=_ends(decision))
        case Amend() | SetMaintenance() | SetLock() | Direct():
            return _of_change(state.record, decision)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(message)


def _of_request(state: NodeState, message: Submit, decision: Decision) -> Forecast:
    name = state.record.name
    request = next((effect.request for effect in decision.effects if isinstance(effect, Accept)), None)
    if request is None:
        return Forecast(would=Would.LOOK, text="The machine would be looked at, and it be judged then.", node=name)
    if request.id != message.request_id:
        text = f"It would be taken for request {request.id}, {request.verb} from {request.requester}."
        return Forecast(would=Would.MERGE, text=text, node=name, request=request.id)
    after = decision.state
    place = next(place for place, one in enumerate(after.queue) if one.id == request.id)
    before = after.queue[place - 1] if place else after.running
    would = _begin(after, request)
    texts = {
        Would.START: "It would start at once.",
        Would.HOLD: "It would wait for the end of the maintenance.",
    }
    behind = "" if before is None else f", behind {before.verb}, request {before.id}"
    return Forecast(
        would=would,
        text=texts.get(would, f"It would wait at place {place + 1}{behind}."),
        node=name,
        position=place + 1,
        behind=None if before is None else before.id,
        depends_on=request.depends_on,
        ends=_ends(decision),
    )


def _begin(after: NodeState, request: RequestRecord) -> Would:
    if after.is_held(request):
        return Would.HOLD
    return Would.START if after.first is not None and after.first.id == request.id else Would.QUEUE


def _of_withdrawal(state: NodeState, request_id: RequestID, decision: Decision) -> Forecast:
    ends, name = _ends(decision), state.record.name
    if state.running is not None and state.running.id == request_id:
        text = "It would be ended after the exchange with the BMC that is under way."
        return Forecast(would=Would.ABORT, text=text, node=name, request=request_id, ends=[request_id])
    if request_id in ends:
        text = "It would be cancelled; the machine has not been touched."
        return Forecast(would=Would.CANCEL, text=text, node=name, request=request_id, ends=ends)
    text = "It would go on for the others who want it."
    return Forecast(would=Would.WITHDRAW, text=text, node=name, request=request_id)


def _of_change(before: NodeRecord, decision: Decision) -> Forecast:
    after = decision.state.record
    changed = [
        item.name
        for item in fields(NodeRecord)
        if item.name not in SILENT and getattr(before, item.name) != getattr(after, item.name)
    ]
    if not changed:
        return Forecast(would=Would.NOTHING, text="All is so already.", node=before.name)
    text = f"It would change {', '.join(changed)}."
    return Forecast(would=Would.CHANGE, text=text, node=before.name, changed=changed, ends=_ends(decision))


def _ends(decision: Decision) -> list[str]:
    requests = () if decision.change is None else decision.change.requests
    return [request.id for request in requests if request.state in FINAL_REQUEST_STATES]
