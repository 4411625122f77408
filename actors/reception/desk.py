"""Where verbs arrive: each is answered from the published views, or brought to the actor that decides.

Runs on the front door's thread, so it never waits: reads are look-ups, changes are messages. Nothing is decided about a
node here.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, assert_never

from pykka import ActorDeadError

from castiron.actors.asking import Answer, Asked
from castiron.actors.bulk.bulks import Bulks
from castiron.actors.core.state import NodeState
from castiron.actors.core.telling.explanation import HISTORY_COUNT, Facts, explain
from castiron.actors.core.views import listed, node_view, request_view
from castiron.actors.delivery import node_not_found
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.fleet import CreateNode, SetNode, being_replaced
from castiron.actors.nodes.place import POWER
from castiron.actors.published.archive import Asking, Library
from castiron.actors.published.board import Published
from castiron.actors.published.chronicle import events_page, history_page, types_of
from castiron.actors.published.listing import Listing
from castiron.actors.published.recording import header_of, record_page
from castiron.actors.published.waiting import Wait
from castiron.actors.reception.caretaker import Caretaker
from castiron.actors.reception.foreman import Foreman
from castiron.actors.reception.intake import Intake, request_not_found, tell_end, unanswered
from castiron.actors.reception.timekeeper import Timekeeper
from castiron.actors.reception.trace import trace_of_ended, trace_of_open
from castiron.actors.runbooks.keeper import ChangeRunbook
from castiron.actors.runbooks.reading import page, show
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Kin
from castiron.store.records import RequestRecord, Wanted
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.errors import CastironError, ConductorOverloaded
from castiron.transport.replies import (
    AnyResult,
    EventListed,
    Explanation,
    HistoryListed,
    NodeListed,
    Pong,
    RecordPage,
    RequestListed,
    RequestView,
    StatusView,
    Welcome,
)
from castiron.transport.verbs import (
    AnyVerb,
    BulkCancel,
    BulkRun,
    EventList,
    Hello,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeCreate,
    NodeDelete,
    NodeExplain,
    NodeHistory,
    NodeList,
    NodeLockSet,
    NodeLockUnset,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionSet,
    NodeProvisionUnhold,
    NodeRecording,
    NodeSet,
    NodeShow,
    NodeStepDone,
    NodeStepList,
    NodeStepProgress,
    PeriodicList,
    PeriodicStart,
    PeriodicStop,
    Ping,
    RequestAbort,
    RequestCancel,
    RequestList,
    RequestShow,
    RequestTrace,
    RequestWait,
    RunbookCreate,
    RunbookDelete,
    RunbookList,
    RunbookSet,
    RunbookShow,
    Status,
)
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, UUID_FORM, EventSeq, Instant, NodeUUID, RequestID


class Desk(Protocol):
    """What only the conductor can say about itself."""

    def welcome(self) -> Welcome:
        """Who answers, and its limits."""
        ...

    def status(self) -> StatusView:
        """How the conductor is."""
        ...


class Reception:
    """Handles verbs. One thread calls `handle`; answers may come from any."""

    def __init__(
        self, services: Services, kin: Kin, archive: Asking, desk: Desk, intake: Intake, *, bulks: Bulks
    ) -> None:
        self._services = services
        self._kin = kin
        self._archive = archive
        self._desk = desk
        self._intake = intake
        self._foreman = Foreman(services)
        self._caretaker = Caretaker(services, kin)
        self._timekeeper = Timekeeper(services.periodics.worker)
        self._bulks = bulks

    def handle(self, verb: AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        """Answer a verb, or see to it that somebody will. Never blocks; raises nothing of ours."""
        try:
            self._services.gate.admit(verb, peer.requester, self._services.clock.now())
            self._handle(verb, peer.who, answer)
        except CastironError as error:
            answer.fail(error, self._seq)

    @property
    def _seq(self) -> EventSeq:
        return self._services.board.seq

    def _handle(self, verb: AnyVerb, requester: str, answer: Answer) -> None:  # noqa: C901, PLR0912, PLR0915 - one row a verb
        match verb:
            case Hello():
                answer.final(self._desk.welcome(), self._seq)
            case Ping():
                answer.final(Pong(boot_id=self._desk.welcome().boot_id), self._seq)
            case Status():
                self._tell_status(answer)
            case PeriodicList() | PeriodicStop() | PeriodicStart():
                answer.final(self._timekeeper.answer(verb), self._seq)
            case NodeCreate():
                self._tell_fleet(CreateNode(verb=verb, requester=requester, asked=Asked(answer)))
            case NodeSet():
                self._tell_fleet(SetNode(verb=verb, requester=requester, asked=Asked(answer)))
            case RunbookCreate() | RunbookSet() | RunbookDelete():
                self._tell_fleet(ChangeRunbook(verb=verb, requester=requester, asked=Asked(answer)))
            case RunbookShow():
                answer.final(*show(self._services, verb))
            case RunbookList():
                self._list_runbooks(verb, answer)
            case NodeList():
                self._list_nodes(verb, answer)
            case NodeShow():
                published = self._node(verb.node)
                answer.final(node_view(published.state, self._services.clock.now()), published.seq)
            case NodeDelete():
                self._caretaker.remove(self._node(verb.node).state, verb, requester, answer)
            case NodeMaintenanceSet() | NodeMaintenanceUnset() | NodeLockSet() | NodeLockUnset():
                self._caretaker.set_mark(self._node(verb.node).state, verb, requester, answer)
            case NodePowerSet() | NodeBootDeviceSet() | NodeBootDeviceGet() | NodeProvisionSet():
                self._intake.submit(self._node(verb.node).state, verb, requester, answer)
            case NodeStepList():
                self._list_steps(verb, answer)
            case (
                NodeProvisionAbort() | NodeProvisionHold() | NodeProvisionUnhold() | NodeStepDone() | NodeStepProgress()
            ):
                self._foreman.hear(self._node(verb.node).state, verb, requester, answer)
            case BulkRun():
                self._bulks.run(verb, requester, answer)
            case BulkCancel():
                self._bulks.cancel(verb, answer)
            case RequestCancel() | RequestAbort():
                self._intake.withdraw(verb, requester, answer)
            case RequestShow():
                self._show_request(RequestID(verb.request), answer)
            case RequestTrace():
                self._trace(RequestID(verb.request), answer)
            case RequestWait():
                self._wait_for_request(verb, answer)
            case RequestList():
                self._list_requests(verb, answer)
            case EventList():
                self._list_events(verb, answer)
            case NodeHistory():
                self._tell_history(verb, answer)
            case NodeExplain():
                self._explain(verb, answer)
            case NodeRecording():
                self._record(verb, answer)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(verb)

    def _tell_status(self, answer: Answer) -> None:
        def question(library: Library) -> StatusView:
            """Count all nodes, where nobody waits behind it."""
            del library
            return self._desk.status()

        self._ask(question, answer, self._seq)

    def _tell_fleet(self, message: CreateNode | SetNode | ChangeRunbook) -> None:
        try:
            self._kin.fleet.tell(message)
        except InboxFull as full:
            raise ConductorOverloaded(
                f"{full.limit} changes of the fleet wait, which is the limit. Try again.",
                details={"limit": full.limit, "what": "fleet"},
                retry_after_s=0.5,
            ) from None
        except ActorDeadError:
            raise being_replaced() from None

    def _node(self, name_or_uuid: str) -> Published:
        published = self._services.board.node(name_or_uuid)
        if published is None:
            raise node_not_found(name_or_uuid)
        return published

    def _list_nodes(self, verb: NodeList, answer: Answer) -> None:
        seq = self._seq
        listing = Listing(verb, self._services.board)

        def question(library: Library) -> NodeListed:
            """Make a page, some 20 ms of work for a thousand nodes, where nobody waits behind it."""
            del library
            return listing.page(self._services.clock.now())

        self._ask(question, answer, seq)

    def _list_runbooks(self, verb: RunbookList, answer: Answer) -> None:
        index, seq = self._services.runbooks.look(self._services.board)
        traits = None if verb.node is None else self._node(verb.node).state.record.traits
        self._ask(lambda _: page(self._services, index, verb, traits), answer, seq)

    def _list_steps(self, verb: NodeStepList, answer: Answer) -> None:
        published = self._node(verb.node)
        answer.final(self._foreman.steps(published.state), published.seq)

    def _show_request(self, request_id: RequestID, answer: Answer) -> None:
        seq = self._seq
        request = self._services.board.request(request_id)
        if request is not None:
            return answer.final(self._request_view(request), seq)
        return self._from_archive(request_id, answer)

    def _request_view(self, request: RequestRecord) -> RequestView:
        return request_view(request, self._state_of(request))

    def _listed(self, request: RequestRecord) -> RequestView:
        return listed(request, self._state_of(request))

    def _state_of(self, request: RequestRecord) -> NodeState | None:
        published = self._services.board.node(request.node_uuid)
        return None if published is None else published.state

    def _from_archive(self, request_id: RequestID, answer: Answer) -> None:
        self._ask(lambda library: request_view(_known(library, request_id)), answer, self._seq)

    def _wait_for_request(self, verb: RequestWait, answer: Answer) -> None:
        request_id = RequestID(verb.request)
        wait = Wait(self._services.board, answer, partial(tell_end, answer))
        if not wait.begin(request_id):
            return self._from_archive(request_id, answer)  # it ended long ago, or never was
        at = Instant(self._services.clock.now() + verb.timeout_s)
        return wait.limit(self._services.clock, at, partial(self._show_request, request_id, answer))

    def _list_requests(self, verb: RequestList, answer: Answer) -> None:
        wanted = self._wanted(verb)

        def question(library: Library) -> RequestListed:
            before = None if verb.marker is None else RequestID(verb.marker)
            if before is not None:
                _known(library, before)
            found = library.requests(wanted, limit=verb.limit + 1, before=before)
            page = found[: verb.limit]
            marker = page[-1].id if len(found) > verb.limit else None
            return RequestListed(requests=[self._listed(request) for request in page], next_marker=marker)

        self._ask(question, answer, self._seq)

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

    def _trace(self, request_id: RequestID, answer: Answer) -> None:
        """Tell a request's life; of one that runs, its owner has published more than is on disk."""
        seq = self._seq
        request = self._services.board.request(request_id)
        if request is not None and request.state not in FINAL_REQUEST_STATES:
            published = self._services.board.node(request.node_uuid)
            return answer.final(trace_of_open(request, None if published is None else published.state), seq)
        return self._ask(lambda library: trace_of_ended(request or _known(library, request_id), library), answer, seq)

    def _explain(self, verb: NodeExplain, answer: Answer) -> None:
        seq, published, services = self._seq, self._node(verb.node), self._services

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
                trouble=services.troubles.account(uuid),
            )
            return explain(facts)

        self._ask(question, answer, seq)

    def _record(self, verb: NodeRecording, answer: Answer) -> None:
        seq, state, services = self._seq, self._node(verb.node).state, self._services

        def question(library: Library) -> RecordPage:
            marked = (verb.marker or "").partition("request:")[2]
            if marked:
                _known(library, RequestID(marked))
            return record_page(library, verb, header_of(state, services.conductor, seq, services.clock.now()))

        self._ask(question, answer, seq)

    def _list_events(self, verb: EventList, answer: Answer) -> None:
        nodes = None if verb.nodes is None else frozenset(self._uuid(node) for node in verb.nodes)
        types = None if verb.types is None else types_of(verb.types)

        def question(library: Library) -> EventListed:
            return events_page(library, verb, nodes, types)

        self._ask(question, answer, self._seq)

    def _tell_history(self, verb: NodeHistory, answer: Answer) -> None:
        uuid = self._uuid(verb.node)

        def question(library: Library) -> HistoryListed:
            page = history_page(library, uuid, verb)
            if not page.events and verb.before is None and self._services.board.node(uuid) is None:
                raise node_not_found(verb.node)
            return page

        self._ask(question, answer, self._seq)

    def _ask(self, question: Callable[[Library], AnyResult], answer: Answer, seq: EventSeq) -> None:
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
