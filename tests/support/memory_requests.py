"""The requests of a small conductor in memory: keys, merging, policies, deadlines, taking back, as PROTOCOL.md says.

What two requests are to each other is read from the conductor's own table; what is done about it is done here anew, so
that the transport is tested against somebody who means what the document says.
"""

import threading
import time
import uuid
from typing import Any

from msgspec.structs import replace

from castiron.actors.core.requests.compatibility import MEETINGS, POLICIES, Meeting, Turn, wish_of
from castiron.actors.core.requests.guards import action_of_verb
from castiron.transport import errors, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.errors import CastironError
from castiron.transport.replies import Forecast, NodeView, RequestView
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, Applied, EventType, Fault, Policy, RequestState, Would
from tests.support.memory_events import MemoryEvents
from tests.support.memory_machines import MemoryMachines

SOON_S = 60.0
"""Deadlines beyond it are kept and never come: each has a thread, and no test waits so long."""

LOOKS: dict[str, type[CastironError]] = {
    "unreachable": errors.BMCUnreachable,
    "credentials": errors.BMCCredentials,
    "certificate": errors.BMCCertificate,
    "busy": errors.BMCBusy,
    "unsupported": errors.BMCUnsupported,
    "broken": errors.BMCFault,
}
"""What a look at a machine brings whose driver_info has this `fake_fault`."""


class MemoryRequests(MemoryMachines):
    """Judges requests. Whoever calls holds the conductor's lock."""

    def __init__(self, events: MemoryEvents) -> None:
        super().__init__(events)
        self.keys: dict[str, str] = {}
        """Key → id of its request."""
        self.looks: dict[str, CastironError] = {}
        """Nodes at whose machine nobody can look: what a request that is `fresh` is refused with."""
        self.mute = False
        """Whether requests are taken and not answered, as if it ended in that moment."""
        self._timers: list[threading.Timer] = []

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()
        super().stop()

    def later(self, seconds: float, call: Any) -> None:
        """Call something with the lock held, after a while."""

        def locked() -> None:
            with self.lock:
                call()

        timer = threading.Timer(max(0.0, seconds), locked)
        timer.daemon = True
        timer.start()  # and only then can it be waited for
        self._timers.append(timer)

    def submit(self, verb: verbs.AnyNodeRequest, who: PeerInfo, answer: Answer) -> None:
        node = self._reachable(verb.node)
        self._check_guards(node, action_of_verb(verb), who)
        if verb.dry_run:  # of a bulk's node
            forecast = Forecast(would=Would.START, text="It would start at once.", node=node.name)
            answer.final(forecast, self.events.seq)
            return
        request = self._of_key(verb, node) or self._judged(verb, node, who)
        if verb.key is not None:
            self.keys[verb.key] = request.id
        if self.mute:
            return
        answer.accepted(request, self.events.seq)
        if request.state in FINAL_REQUEST_STATES:
            answer.final(request, self.events.seq)
            return
        self._wait(request.id, lambda view: answer.final(view, self.events.seq))
        if node.name not in self.held | self.slow and not self._is_held_back(request):
            self._work.put(request.id)

    def take_back(self, verb: verbs.RequestCancel | verbs.RequestAbort, who: PeerInfo, answer: Answer) -> None:
        request = self._view(verb.request)
        details = {"request": request.id, "state": request.state.value}
        if request.state in FINAL_REQUEST_STATES:
            raise errors.RequestEnded("It has ended.", details=details)
        self._reachable(request.node)
        self._check_store()
        is_running = request.state is RequestState.RUNNING
        if is_running and isinstance(verb, verbs.RequestCancel):
            raise errors.RequestStarted("It has started. Abort it.", details=details)
        if is_running or isinstance(verb, verbs.RequestAbort):
            self._check_guards(self._node(request.node), verbs.tag_of(verb), who)
        others = [one for one in request.requesters if one != who.requester]
        if others and not verb.force:
            if is_running or who.requester not in request.requesters:
                raise errors.RequestNotYours("Others want it.", details={"request": request.id, "requesters": others})
            self.requests[request.id] = replace(request, requesters=others)
        elif is_running:
            error: CastironError = errors.RequestAborted("It was aborted.", details=details, applied=Applied.UNKNOWN)
            self._end_with(replace(request, aborted_by=who.who), RequestState.FAILED, error)
        else:
            self._end_with(request, RequestState.CANCELLED, errors.RequestCancelled("Cancelled.", details=details))
        answer.final(self.requests[request.id], self.events.seq)

    def leave_to_maintenance(self, node: NodeView) -> None:
        for request in self.line(node.uuid):
            if request.state is not RequestState.RUNNING and not request.hold:
                error = errors.NodeInMaintenance("Put into maintenance.", details={"node": node.name})
                self._end_with(request, RequestState.FAILED, error)

    def _of_key(self, verb: verbs.AnyNodeRequest, node: NodeView) -> RequestView | None:
        known = self.requests[self.keys[verb.key]] if verb.key in self.keys else None
        if known is None:
            return None
        if known.node_uuid != node.uuid or not _asks(known, verb):
            raise errors.RequestReused("Make a new key.", details={"key": verb.key, "request": known.id})
        return known

    def _judged(self, verb: verbs.AnyNodeRequest, node: NodeView, who: PeerInfo) -> RequestView:
        if node.fault is Fault.ACTOR_FAILURE:
            raise errors.NodeInMaintenance("Put aside.", details={"node": node.name})
        self._check_deadline(verb)
        line = self.line(node.uuid)
        if verb.fresh and not line:
            self._look(node)
        self._check_store()
        tag, depends_on = verbs.tag_of(verb), None
        for other in reversed(line):
            row = MEETINGS[tag, other.verb]
            if row.equal is Meeting.MERGE and _asks(other, verb) and not verb.again:
                return self._merge(other, who)
            if row.other is Meeting.CONFLICT:
                turn = POLICIES[verb.policy, other.state is RequestState.RUNNING].turn
                if turn is Turn.REFUSE:
                    details = {"node": node.name, "request": other.id, "verb": other.verb}
                    raise errors.NodeLocked("Busy. Wait.", details=details)
                if turn is Turn.SUPERSEDE:
                    error = errors.RequestSuperseded("Superseded.", details={"request": other.id})
                    self._end_with(other, RequestState.CANCELLED, error)
                elif verb.policy is Policy.AFTER:
                    depends_on = depends_on or other.id
        return self._enqueue(verb, node, who, depends_on)

    def _enqueue(
        self, verb: verbs.AnyNodeRequest, node: NodeView, who: PeerInfo, depends_on: str | None
    ) -> RequestView:
        starts = node.name in self.slow and not self.line(node.uuid)
        request = RequestView(
            id=str(uuid.uuid4()),
            node=node.name,
            node_uuid=node.uuid,
            verb=verbs.tag_of(verb),
            arguments=verbs.arguments_of(verb),
            requester=who.who,
            requesters=[who.requester],
            state=RequestState.RUNNING if starts else RequestState.ACCEPTED,
            accepted_at=time.time(),
            started_at=time.time() if starts else None,
            deadline_at=verb.deadline_at,
            policy=verb.policy,
            hold=verb.hold,
            on_restart=verb.on_restart,
            key=verb.key,
            depends_on=depends_on,
            position=None if starts else len(self.line(node.uuid)) + 1,
        )
        self.requests[request.id] = request
        if verb.deadline_at is not None and verb.deadline_at - time.time() <= SOON_S:
            self.later(verb.deadline_at - time.time(), lambda: self._expire(request.id))
        return request

    def _merge(self, other: RequestView, who: PeerInfo) -> RequestView:
        wanted = list(dict.fromkeys([*other.requesters, who.requester]))
        merged = replace(other, requesters=wanted, merged=other.merged + 1)
        self.requests[other.id] = merged
        return merged

    def _check_deadline(self, verb: verbs.AnyNodeRequest) -> None:
        if verb.deadline_at is not None and verb.deadline_at <= time.time():
            raise errors.RequestExpired("Too late.", details={"deadline_at": verb.deadline_at})

    def _look(self, node: NodeView) -> None:
        if node.name in self.looks:
            raise self.looks[node.name]
        fault = LOOKS.get(str(node.driver_info.get("fake_fault")))
        if fault is not None:
            raise fault("Nobody could look.", details={"node": node.name})

    def _expire(self, request_id: str) -> None:
        request = self.requests[request_id]
        if request.state not in {*FINAL_REQUEST_STATES, RequestState.RUNNING}:
            self._end_with(request, RequestState.EXPIRED, errors.RequestExpired("Not in time."))

    def _end_with(self, request: RequestView, state: RequestState, error: CastironError) -> None:
        error.applied = error.applied or Applied.NO
        ended = replace(request, state=state, ended_at=time.time(), error=error.to_wire(), position=None)
        node = self.nodes[request.node_uuid]
        if request.started_at is None:
            self.events.happen(EventType.REQUEST_END, node, request.id, verb=request.verb, state=state.value)
        self._tell_end(ended)


def _asks(request: RequestView, verb: verbs.AnyNodeRequest) -> bool:
    """Return whether a request asks for this, of the same node."""
    arguments = verbs.arguments_of(verb)
    return request.verb == verbs.tag_of(verb) and wish_of(request.arguments) == wish_of(arguments)
