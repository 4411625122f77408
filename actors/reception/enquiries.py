"""Questions whose answers may be on disk: requests, traces, events, history, records, explanations.

Runs on the front door's thread, which never waits: a question is put to the archive, which answers. Nothing changes
here.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from castiron.actors.asking import Answer
from castiron.actors.core.state import NodeState
from castiron.actors.core.telling.explanation import HISTORY_COUNT, Facts, explain
from castiron.actors.core.views import listed, request_view
from castiron.actors.delivery import node_not_found
from castiron.actors.nodes.place import POWER, owner_of
from castiron.actors.published.archive import Asking, Library
from castiron.actors.published.board import Published
from castiron.actors.published.chronicle import events_page, history_page, types_of
from castiron.actors.published.recording import header_of, record_page
from castiron.actors.published.waiting import Wait
from castiron.actors.reception.intake import request_not_found, tell_end, unanswered
from castiron.actors.reception.trace import trace_of_ended, trace_of_open
from castiron.actors.sensors.telling import listed as sensors_of
from castiron.actors.services import Services
from castiron.store.records import RequestRecord, Wanted
from castiron.transport.errors import CastironError
from castiron.transport.replies import (
    AnyResult,
    EventListed,
    Explanation,
    HistoryListed,
    RecordPage,
    RequestListed,
    RequestView,
    SensorListed,
)
from castiron.transport.verbs import (
    EventList,
    NodeExplain,
    NodeHistory,
    NodeRecording,
    NodeSensorList,
    RequestList,
    RequestWait,
)
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, UUID_FORM, EventSeq, Instant, NodeUUID, RequestID


class Enquiries:
    """Answers them. One thread asks; answers may come from any."""

    def __init__(self, services: Services, archive: Asking) -> None:
        self._services = services
        self._archive = archive

    @property
    def seq(self) -> EventSeq:
        """The event number up to which everything is published."""
        return self._services.board.seq

    def node(self, name_or_uuid: str) -> Published:
        """Return a node as it was published last.

        Raises:
            NodeNotFound: there is none.
        """
        published = self._services.board.node(name_or_uuid)
        if published is None:
            raise node_not_found(name_or_uuid)
        return published

    def show(self, request_id: RequestID, answer: Answer) -> None:
        """Answer with a request as it is."""
        seq = self.seq
        request = self._services.board.request(request_id)
        if request is not None:
            return answer.final(self._request_view(request), seq)
        return self._from_archive(request_id, answer)

    def _request_view(self, request: RequestRecord) -> RequestView:
        state = self._state_of(request)
        return request_view(request, state, self._ahead(state, request.id))

    def _ahead(self, state: NodeState | None, request_id: RequestID | None = None) -> int | None:
        """Return how many requests get a permit before the one that is a node's next, or before a certain one."""
        if state is None or state.permit is None or request_id not in {None, state.permit}:
            return None
        owner = self._services.directory.owner(state.record.uuid)
        return None if owner is None else self._services.permits.ahead_of(owner_of(state.record.uuid, owner.generation))

    def _listed(self, request: RequestRecord) -> RequestView:
        return listed(request, self._state_of(request))

    def _state_of(self, request: RequestRecord) -> NodeState | None:
        published = self._services.board.node(request.node_uuid)
        return None if published is None else published.state

    def _from_archive(self, request_id: RequestID, answer: Answer) -> None:
        self.ask(lambda library: request_view(_known(library, request_id)), answer, self.seq)

    def wait(self, verb: RequestWait, answer: Answer) -> None:
        """Answer once a request has ended, or as it is when the time is over."""
        request_id = RequestID(verb.request)
        wait = Wait(self._services.board, answer, partial(tell_end, answer))
        if not wait.begin(request_id):
            return self._from_archive(request_id, answer)  # it ended long ago, or never was
        at = Instant(self._services.clock.now() + verb.timeout_s)
        return wait.limit(self._services.clock, at, partial(self.show, request_id, answer))

    def requests(self, verb: RequestList, answer: Answer) -> None:
        """Answer with a page of requests."""
        wanted = self._wanted(verb)

        def question(library: Library) -> RequestListed:
            before = None if verb.marker is None else RequestID(verb.marker)
            if before is not None:
                _known(library, before)
            found = library.requests(wanted, limit=verb.limit + 1, before=before)
            page = found[: verb.limit]
            marker = page[-1].id if len(found) > verb.limit else None
            return RequestListed(requests=[self._listed(request) for request in page], next_marker=marker)

        self.ask(question, answer, self.seq)

    def _wanted(self, verb: RequestList) -> Wanted:
        times = ("accepted_since", "accepted_until", "ended_since", "ended_until")
        given: dict[str, Any] = {name: getattr(verb, name) for name in times}
        return Wanted(
            node_uuid=None if verb.node is None else self._uuid(verb.node),
            states=None if verb.states is None else frozenset(verb.states),
            verb=verb.of_verb,
            requester=verb.requester,
            error=verb.error,
            **given,
        )

    def trace(self, request_id: RequestID, answer: Answer) -> None:
        """Tell a request's life; of one that runs, its owner has published more than is on disk."""
        seq = self.seq
        request = self._services.board.request(request_id)
        if request is not None and request.state not in FINAL_REQUEST_STATES:
            published = self._services.board.node(request.node_uuid)
            return answer.final(trace_of_open(request, None if published is None else published.state), seq)
        return self.ask(lambda library: trace_of_ended(_known(library, request_id), library), answer, seq)

    def explain_node(self, verb: NodeExplain, answer: Answer) -> None:
        """Answer why a node does not do what is wanted."""
        seq, published, services = self.seq, self.node(verb.node), self._services

        def question(library: Library) -> Explanation:
            uuid = published.state.record.uuid
            facts = Facts(
                state=published.state,
                now=services.clock.now(),
                settings=services.settings,
                history=library.history(uuid, limit=HISTORY_COUNT),
                permits_in_use=services.permits.in_use,
                permits_limit=services.permits.limit,
                power_in_use=services.permits.in_use_of(POWER),
                permits_ahead=self._ahead(published.state),
                trouble=services.troubles.account(uuid),
            )
            return explain(facts)

        self.ask(question, answer, seq)

    def record(self, verb: NodeRecording, answer: Answer) -> None:
        """Answer with a page of what happened to a node."""
        seq, state, services = self.seq, self.node(verb.node).state, self._services

        def question(library: Library) -> RecordPage:
            marked = (verb.marker or "").partition("request:")[2]
            if marked:
                _known(library, RequestID(marked))
            return record_page(library, verb, header_of(state, services.conductor, seq, services.clock.now()))

        self.ask(question, answer, seq)

    def events(self, verb: EventList, answer: Answer) -> None:
        """Answer with a page of events."""
        nodes = None if verb.nodes is None else frozenset(self._uuid(node) for node in verb.nodes)
        types = None if verb.types is None else types_of(verb.types)

        def question(library: Library) -> EventListed:
            return events_page(library, verb, nodes, types)

        self.ask(question, answer, self.seq)

    def history(self, verb: NodeHistory, answer: Answer) -> None:
        """Answer with a page of a node's history."""
        uuid = self._uuid(verb.node)

        def question(library: Library) -> HistoryListed:
            page = history_page(library, uuid, verb)
            if not page.events and verb.before is None and self._services.board.node(uuid) is None:
                raise node_not_found(verb.node)
            return page

        self.ask(question, answer, self.seq)

    def sensors(self, verb: NodeSensorList, answer: Answer) -> None:
        """Tell what a node's sensors said last."""
        published, services = self.node(verb.node), self._services

        def question(library: Library) -> SensorListed:
            """Unpack them, a millisecond for some hundred sensors, where nobody waits behind it."""
            del library
            return sensors_of(published, services.readings, services.settings, services.clock.now())

        self.ask(question, answer, published.seq)

    def ask(self, question: Callable[[Library], AnyResult], answer: Answer, seq: EventSeq) -> None:
        """Put a question to the archive, and answer with what comes of it, even if the store cannot be read.

        Args:
            seq: the event number as it was before anything was looked up: an answer is never older than it says.
        """

        def asked(library: Library) -> None:
            try:
                answer.final(question(library), seq)
            except CastironError as error:
                answer.fail(error, seq)
            except Exception as error:  # noqa: BLE001 - whoever asks must hear of it, whatever it is
                answer.fail(unanswered(self._services.new_id(), error), seq)

        self._archive.ask(asked)

    def _uuid(self, name_or_uuid: str) -> NodeUUID:
        """Return a node's uuid; of a node that is no more only the uuid itself is known, and its events may be kept.

        Raises:
            NodeNotFound: no node has this name, and it is no uuid.
        """
        published = self._services.board.node(name_or_uuid)
        if published is None and not UUID_FORM.match(name_or_uuid):
            raise node_not_found(name_or_uuid)
        return NodeUUID(name_or_uuid) if published is None else published.state.record.uuid


def _known(library: Library, request_id: RequestID) -> RequestRecord:
    request = library.request(request_id)
    if request is None:
        raise request_not_found(request_id)
    return request
