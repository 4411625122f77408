"""Where verbs arrive: each is answered from the published views, or brought to the actor that decides.

Runs on the front door's thread, so it never waits: reads are look-ups, changes are messages. Nothing is decided about a
node here.
"""

from typing import Protocol, assert_never

from pykka import ActorDeadError

from castiron.actors.allocations.clerk import Clerk
from castiron.actors.asking import Answer, Asked
from castiron.actors.bulk.bulks import Bulks
from castiron.actors.core.views import node_view
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.fleet import CreateNode, SetNode, being_replaced
from castiron.actors.published.archive import Asking, Library
from castiron.actors.published.listing import Listing
from castiron.actors.reception.caretaker import Caretaker
from castiron.actors.reception.enquiries import Enquiries
from castiron.actors.reception.foreman import Foreman
from castiron.actors.reception.intake import Intake
from castiron.actors.reception.timekeeper import Timekeeper
from castiron.actors.runbooks.keeper import ChangeRunbook
from castiron.actors.runbooks.reading import page, show
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Kin
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.errors import CastironError, ConductorOverloaded
from castiron.transport.replies import (
    DrainView,
    NodeListed,
    Pong,
    StatusView,
    Welcome,
)
from castiron.transport.verbs import (
    AllocationCreate,
    AllocationDelete,
    AllocationList,
    AllocationSet,
    AllocationShow,
    AllocationWait,
    AnyVerb,
    BulkCancel,
    BulkRun,
    ConductorDrain,
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
    NodeSensorList,
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
from castiron.transport.vocabulary import EventSeq, RequestID


class Desk(Protocol):
    """What only the conductor can say about itself."""

    def welcome(self) -> Welcome:
        """Who answers, and its limits."""
        ...

    def status(self) -> StatusView:
        """How the conductor is."""
        ...

    def drain(self) -> DrainView:
        """Whether it drains, and what is left."""
        ...


class Reception:
    """Handles verbs. One thread calls `handle`; answers may come from any."""

    def __init__(
        self, services: Services, kin: Kin, archive: Asking, desk: Desk, intake: Intake, *, bulks: Bulks
    ) -> None:
        self._services = services
        self._kin = kin
        self._enquiries = Enquiries(services, archive)
        self._ease = archive.ease
        self._desk = desk
        self._intake = intake
        self._foreman = Foreman(services)
        self._caretaker = Caretaker(services, kin)
        self._clerk = Clerk(services, kin.keeper, archive)
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

    def _handle(self, verb: AnyVerb, requester: str, answer: Answer) -> None:  # noqa: C901, PLR0912, PLR0915 - a row a verb
        match verb:
            case Hello():
                answer.final(self._desk.welcome(), self._seq)
            case Ping():
                answer.final(Pong(boot_id=self._desk.welcome().boot_id), self._seq)
            case Status():
                self._tell_status(answer)
            case ConductorDrain():
                self._drain(verb, requester, answer)
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
                published = self._enquiries.node(verb.node)
                answer.final(node_view(published.state, self._services.clock.now()), published.seq)
            case NodeDelete():
                self._caretaker.remove(self._enquiries.node(verb.node).state, verb, requester, answer)
            case NodeMaintenanceSet() | NodeMaintenanceUnset() | NodeLockSet() | NodeLockUnset():
                self._caretaker.set_mark(self._enquiries.node(verb.node).state, verb, requester, answer)
            case NodePowerSet() | NodeBootDeviceSet() | NodeBootDeviceGet() | NodeProvisionSet():
                self._intake.submit(self._enquiries.node(verb.node).state, verb, requester, answer)
            case NodeStepList():
                self._list_steps(verb, answer)
            case (
                NodeProvisionAbort() | NodeProvisionHold() | NodeProvisionUnhold() | NodeStepDone() | NodeStepProgress()
            ):
                self._foreman.hear(self._enquiries.node(verb.node).state, verb, requester, answer)
            case (
                AllocationCreate()
                | AllocationList()
                | AllocationShow()
                | AllocationWait()
                | AllocationSet()
                | AllocationDelete()
            ):
                self._clerk.take(verb, requester, answer)
            case BulkRun():
                self._bulks.run(verb, requester, answer)
            case BulkCancel():
                self._bulks.cancel(verb, answer)
            case RequestCancel() | RequestAbort():
                self._intake.withdraw(verb, requester, answer)
            case RequestShow():
                self._enquiries.show(RequestID(verb.request), answer)
            case RequestTrace():
                self._enquiries.trace(RequestID(verb.request), answer)
            case RequestWait():
                self._enquiries.wait(verb, answer)
            case RequestList():
                self._enquiries.requests(verb, answer)
            case EventList():
                self._enquiries.events(verb, answer)
            case NodeHistory():
                self._enquiries.history(verb, answer)
            case NodeSensorList():
                self._enquiries.sensors(verb, answer)
            case NodeExplain():
                self._enquiries.explain_node(verb, answer)
            case NodeRecording():
                self._enquiries.record(verb, answer)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(verb)

    def _tell_status(self, answer: Answer) -> None:
        def question(library: Library) -> StatusView:
            """Count all nodes, where nobody waits behind it."""
            del library
            return self._desk.status()

        self._enquiries.ask(question, answer, self._seq)

    def _drain(self, verb: ConductorDrain, requester: str, answer: Answer) -> None:
        draining = self._services.gate.draining
        if verb.undo:
            draining.end(requester)
        else:
            draining.begin(requester, self._services.clock.now())
        answer.final(self._desk.drain(), self._seq)

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

    def _list_nodes(self, verb: NodeList, answer: Answer) -> None:
        seq = self._seq
        listing = Listing(verb, self._services.board, self._ease)

        def question(library: Library) -> NodeListed:
            """Make a page, some 10 ms of work for a thousand nodes, where nobody waits behind it."""
            del library
            return listing.page(self._services.clock.now())

        self._enquiries.ask(question, answer, seq)

    def _list_runbooks(self, verb: RunbookList, answer: Answer) -> None:
        index, seq = self._services.runbooks.look(self._services.board)
        traits = None if verb.node is None else self._enquiries.node(verb.node).state.record.traits
        self._enquiries.ask(lambda _: page(self._services, index, verb, traits), answer, seq)

    def _list_steps(self, verb: NodeStepList, answer: Answer) -> None:
        published = self._enquiries.node(verb.node)
        answer.final(self._foreman.steps(published.state), published.seq)
