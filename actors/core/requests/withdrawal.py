"""Taking a request back: certain while it waits, and between two exchanges with the BMC once it runs.

What several want is ended for one of them only, unless whoever asks insists. That a running request is to end is on
disk before anything is done about it, so a successor ends it, too. Pure.
"""

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AnswerRequest, Refuse
from castiron.actors.core.messages import Withdraw
from castiron.actors.core.requests import running, tracing
from castiron.actors.core.requests.callbacks import without_callbacks
from castiron.actors.core.requests.ending import cancel
from castiron.actors.core.requests.guards import ABORT_REQUEST, guarded
from castiron.actors.core.requests.submission import latest
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, RequestEnded, RequestNotYours, RequestStarted
from castiron.transport.requester import identity_of
from castiron.transport.vocabulary import TraceWord
from castiron.transport.webhooks.addresses import shown


def withdraw(draft: Draft, message: Withdraw, settings: Settings) -> None:
    """Cancel a request that waits, or abort one that runs."""
    state = draft.state
    request = next((one for one in state.open if one.id == message.request_id), None)
    if request is None:
        return draft.order(Refuse(message.reply_to, _ended(message)))
    if request is not state.running:
        return _withdraw_waiting(draft, message, request)
    obstacle = _started(request) if not message.is_abort else _unabortable(draft, message, request)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    draft.order(AnswerRequest(message.reply_to, request, is_final=False))
    return running.abort(draft, message.requester, settings)


def _withdraw_waiting(draft: Draft, message: Withdraw, request: RequestRecord) -> None:
    obstacle = _others(message, request)
    if obstacle is None:
        cancel(draft, request, message.requester)
        ended = draft.kept(request.id)
        return draft.order(AnswerRequest(message.reply_to, ended, is_final=True))
    withdrawn = identity_of(message.requester)
    if withdrawn not in request.wanted_by:
        return draft.order(Refuse(message.reply_to, obstacle))
    wanted = {who: until for who, until in request.wanted_by.items() if who != withdrawn}
    callbacks = without_callbacks(request.callbacks, withdrawn)
    gone = [shown(url) for url in request.callbacks if url not in callbacks]
    trace = tracing.noted(request.trace, TraceWord.WITHDRAWN, draft.now, requester=withdrawn, not_called=gone or None)
    left = replace(request, requesters=wanted, deadline_at=latest(wanted.values()), callbacks=callbacks, trace=trace)
    draft.keep(left)
    draft.state = draft.state.having(left)
    return draft.order(AnswerRequest(message.reply_to, left, is_final=True))


def _others(message: Withdraw, request: RequestRecord) -> RequestNotYours | None:
    """Return why one of those who want a request cannot end it for the others, or somebody else for them."""
    others = [who for who in request.wanted_by if who != identity_of(message.requester)]
    if not others or message.force:
        return None
    alone = "" if len(others) < len(request.wanted_by) else "you do not; "
    return RequestNotYours(
        f"Request {request.id} is wanted by {', '.join(others)}; {alone}it goes on. `force` ends it for everybody.",
        details={"request": request.id, "requesters": others},
    )


def _unabortable(draft: Draft, message: Withdraw, request: RequestRecord) -> CastironError | None:
    return guarded(draft.state.record, ABORT_REQUEST, message.requester) or _others(message, request)


def _started(request: RequestRecord) -> CastironError:
    return RequestStarted(
        f"Request {request.id} has started, and cannot be cancelled any more. Abort it, or wait for its end.",
        details={
            "request": request.id,
            "node": request.node_name,
            "verb": request.verb,
            "state": request.state.value,
        },
    )


def _ended(message: Withdraw) -> CastironError:
    """Return the refusal; who brings it to the client adds how it has ended, which a node does not remember."""
    return RequestEnded(
        f"Request {message.request_id} has ended. `castiron request show` tells how.",
        details={"request": message.request_id},
    )
