"""A new request for a node: taken, merged into an equal one, or refused; and what it pushes aside.

One that is to be judged `fresh` is parked until the machine has been looked at, which a power check does. Pure.
"""

from collections.abc import Iterable
from typing import Final

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import Accept, Park, Refuse
from castiron.actors.core.machines import check
from castiron.actors.core.messages import Submit
from castiron.actors.core.provision.steps import has_secrets
from castiron.actors.core.requests import running, tracing
from castiron.actors.core.requests.callbacks import with_callback
from castiron.actors.core.requests.compatibility import Condition, Conflict, Enqueue, Merge, condition_of, judge
from castiron.actors.core.requests.ending import supersede, waits
from castiron.actors.core.requests.guards import action_of_verb, guarded
from castiron.actors.core.requests.obstacles import admittance, busy_with, crowded, leaving, misplaced
from castiron.actors.settings import Settings
from castiron.store.records import EMPTY, Fragment, KeyRecord, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, RequestExpired
from castiron.transport.requester import identity_of
from castiron.transport.verbs import NodeProvisionSet, arguments_of, tag_of
from castiron.transport.vocabulary import Instant, RequestState, TraceWord

STEPS: Final = frozenset({"steps"})
"""The argument that holds secrets where a step is given any: kept encrypted, and masked, as a whole."""

NOTHING_SECRET: Final[frozenset[str]] = frozenset()
"""One for all other requests: an empty set takes 216 bytes."""

MAX_REQUESTERS: Final = 64
"""That one request may have: more than there are people who look after a machine."""


def submit(draft: Draft, message: Submit, settings: Settings) -> None:
    """Judge a request, or look at the machine first."""
    is_idle = draft.state.first is None  # a request under way looks at the machine itself
    if not (message.verb.fresh and is_idle and _obstacle(draft, message) is None):
        return _judge(draft, message, settings)
    full = crowded(draft.state, len(draft.state.parked), draft.state.queue_limit)
    if full is not None:
        return draft.order(Refuse(message.reply_to, full))
    draft.state = replace(draft.state, parked=(*draft.state.parked, message))
    draft.order(Park(message.reply_to))
    return check.look(draft, settings)


def unpark(draft: Draft, settings: Settings, error: CastironError | None = None) -> None:
    """Judge what waited for a look at the machine, unless the look is still under way.

    Args:
        error: why the machine's BMC gave no power state; None: it did, or a request is about to look.
    """
    parked = draft.state.parked
    if not parked or draft.check.call is not None:
        return
    draft.state = replace(draft.state, parked=())
    for message in parked:
        if error is None:
            _judge(draft, message, settings)
        else:
            draft.order(Refuse(message.reply_to, error))


def turn_away(draft: Draft) -> None:
    """Refuse what waits for a look at the machine: the node is being deleted."""
    obstacle = leaving(draft.state)
    if obstacle is not None:
        draft.order(*(Refuse(message.reply_to, obstacle) for message in draft.state.parked))
        draft.state = replace(draft.state, parked=())


def latest(deadlines: Iterable[Instant | None]) -> Instant | None:
    """Return the deadline of a request that several want: none, if one of them set none."""
    known = list(deadlines)
    return None if None in known else max(deadline for deadline in known if deadline is not None)


def _judge(draft: Draft, message: Submit, settings: Settings) -> None:
    obstacle = _obstacle(draft, message)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    verdict = judge(draft.state, message.verb)
    match verdict:
        case Conflict(with_=other):
            return draft.order(Refuse(message.reply_to, busy_with(draft.state, tag_of(message.verb), other, draft.now)))
        case Merge(into=other):
            return _merge(draft, message, other)
        case Enqueue():
            _take(draft, message, verdict)
            if verdict.aborted is not None:
                running.abort(draft, message.requester, settings)
            return None


def _obstacle(draft: Draft, message: Submit) -> CastironError | None:
    condition = condition_of(draft.state.record, is_leaving=draft.state.leaving)
    is_to_wait = message.verb.hold and condition in (Condition.MAINTENANCE, Condition.FAULT)
    refusal = (
        (None if is_to_wait else admittance(draft.state, tag_of(message.verb)))
        or guarded(draft.state.record, action_of_verb(message.verb), message.requester)
        or _misplaced(draft, message)
    )
    deadline_at = message.verb.deadline_at
    if refusal is not None or deadline_at is None or deadline_at > draft.now:
        return refusal
    return RequestExpired("Its deadline is over already. Nothing was accepted.", details={"deadline_at": deadline_at})


def _misplaced(draft: Draft, message: Submit) -> CastironError | None:
    """Return why a node cannot be moved there; of one that others are at work on it is judged when they have ended."""
    is_idle = draft.state.first is None and not draft.state.queue
    if not isinstance(message.verb, NodeProvisionSet) or not is_idle:
        return None
    return misplaced(draft.state, message.verb.target)


def _take(draft: Draft, message: Submit, verdict: Enqueue) -> None:
    waiting_count = len(draft.state.queue) - len(verdict.superseded)
    full = message.unless_merged or crowded(draft.state, waiting_count, draft.state.queue_limit)
    if full is not None:
        return draft.order(Refuse(message.reply_to, full))
    record, verb = draft.state.record, message.verb
    deadline_at = None if verb.deadline_at is None else Instant(verb.deadline_at)
    request = RequestRecord(
        id=message.request_id,
        key=verb.key,
        node_uuid=record.uuid,
        node_name=record.name,
        verb=tag_of(verb),
        arguments=Fragment(arguments_of(verb)),
        requester=message.requester,
        state=RequestState.QUEUED,
        accepted_at=draft.now,
        policy=verb.policy,
        hold=verb.hold,
        on_restart=verb.on_restart,
        deadline_at=deadline_at,
        depends_on=verdict.depends_on,
        callbacks=with_callback(EMPTY, verb.callback_url, identity_of(message.requester)),
        requesters=Fragment({identity_of(message.requester): deadline_at}),
        runbook=message.runbook,
        progress={"plan": Fragment(message.plan)} if message.plan else EMPTY,
        secret_keys=STEPS if has_secrets(message.plan) else NOTHING_SECRET,
    )
    waiting = [other for other in draft.state.queue if other not in verdict.superseded]
    behind = waiting[-1] if waiting else draft.state.running
    request = replace(request, trace=tracing.accepted(request, len(waiting) + 1, behind))
    draft.order(Accept(message.reply_to, request))
    for other in verdict.superseded:
        if waits(draft, other.id):
            supersede(draft, other, request)
    _note_key(draft, message, request)
    return draft.enqueue(request)


def _merge(draft: Draft, message: Submit, other: RequestRecord) -> None:
    """Let a request be wanted by one more, or once more by somebody who wants it already."""
    verb, who, wanted = message.verb, identity_of(message.requester), dict(other.wanted_by)
    given = None if verb.deadline_at is None else Instant(verb.deadline_at)
    wanted[who] = latest((given, wanted[who])) if who in wanted else given
    callbacks = with_callback(other.callbacks, verb.callback_url, who)
    full = crowded(draft.state, max(len(wanted), len(callbacks)) - 1, MAX_REQUESTERS, what="request_sharers")
    if full is not None:
        return draft.order(Refuse(message.reply_to, full))
    trace = tracing.noted(draft.state.traced(other).trace, TraceWord.MERGED, draft.now, requester=message.requester)
    until = latest(wanted.values())
    request = replace(
        other,
        requesters=wanted,
        deadline_at=until,
        merged=other.merged + 1,
        callbacks=callbacks,
        trace=trace,
    )
    draft.keep(request)
    draft.state = draft.state.having(request)
    _note_key(draft, message, request)
    return draft.order(Accept(message.reply_to, request))


def _note_key(draft: Draft, message: Submit, request: RequestRecord) -> None:
    if message.verb.key is not None:
        draft.note(KeyRecord(key=message.verb.key, request_id=request.id))
