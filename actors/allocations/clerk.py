"""What is asked about allocations: answered from the register, or brought to whoever keeps them.

Runs on the front door's thread; never waits. Nothing is decided about an allocation here.
"""

import threading
from collections.abc import Callable
from functools import partial
from itertools import islice

from pykka import ActorDeadError

from castiron.actors.allocations.judging import being_replaced, no_such_allocation
from castiron.actors.allocations.messages import CreateAllocation, DeleteAllocation, SetAllocation, UsersMessage
from castiron.actors.asking import Answer, Asked
from castiron.actors.core.allocations.ledger import allocation_view
from castiron.actors.delivery import node_not_found
from castiron.actors.dispatch.clock import Timer
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.published.archive import Asking, Library
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.store.records import AllocationRecord
from castiron.transport.errors import CastironError, ConductorOverloaded
from castiron.transport.replies import AllocationListed
from castiron.transport.verbs import (
    AllocationCreate,
    AllocationDelete,
    AllocationList,
    AllocationSet,
    AllocationShow,
    AllocationWait,
)
from castiron.transport.vocabulary import AllocationState, Instant

AnyAllocationVerb = (
    AllocationCreate | AllocationList | AllocationShow | AllocationWait | AllocationSet | AllocationDelete
)

RETRY_AFTER_S = 0.5


class Clerk:
    """Takes the verbs of allocations. One thread calls `take`; answers may come from any."""

    def __init__(self, services: Services, seat: Seat, archive: Asking) -> None:
        self._services = services
        self._seat = seat
        self._archive = archive
        self._register = services.board.allocations

    def take(self, verb: AnyAllocationVerb, requester: str, answer: Answer) -> None:
        """Answer a verb, or see to it that somebody will.

        Raises:
            CastironError: nobody could be told; `answer` has not been.
        """
        match verb:
            case AllocationCreate():
                self._tell(CreateAllocation(verb=verb, requester=requester, asked=Asked(answer)))
            case AllocationSet():
                self._tell(SetAllocation(verb=verb, requester=requester, asked=Asked(answer)))
            case AllocationDelete():
                self._tell(DeleteAllocation(verb=verb, requester=requester, asked=Asked(answer)))
            case AllocationList():
                self._list(verb, answer)
            case AllocationShow():
                self._show(verb.allocation, answer)
            case AllocationWait():
                self._wait(verb, answer)

    def _tell(self, message: UsersMessage) -> None:
        try:
            self._seat.tell(message)
        except InboxFull as full:
            raise ConductorOverloaded(
                f"{full.limit} changes of allocations wait, which is the limit. Try again.",
                details={"limit": full.limit, "what": "allocation_changes"},
                retry_after_s=RETRY_AFTER_S,
            ) from None
        except ActorDeadError:
            raise being_replaced() from None

    def _show(self, name: str, answer: Answer) -> None:
        seq = self._services.board.seq
        answer.final(allocation_view(self._get(name)), seq)

    def _get(self, name: str) -> AllocationRecord:
        record = self._register.get(name)
        if record is None:
            raise no_such_allocation(name)
        return record

    def _wait(self, verb: AllocationWait, answer: Answer) -> None:
        record = self._get(verb.allocation)
        told = partial(self._show_to_waiting, record.uuid, answer)
        wait = Wait(told)
        wait.begin(self._register.wait(record.uuid, wait.end))
        answer.when_gone(wait.leave)
        now = self._register.get(record.uuid)
        if now is None or now.state is not AllocationState.ALLOCATING:  # looked at once it would be told
            wait.cut_short()
        else:
            at = Instant(self._services.clock.now() + verb.timeout_s)
            wait.limit(self._services.clock.call_at(at, wait.cut_short))

    def _show_to_waiting(self, uuid: str, answer: Answer) -> None:
        try:
            self._show(uuid, answer)
        except CastironError as error:
            answer.fail(error, self._services.board.seq)

    def _list(self, verb: AllocationList, answer: Answer) -> None:
        seq = self._services.board.seq

        def question(library: Library) -> None:
            """Make a page, where nobody waits behind it."""
            del library
            try:
                answer.final(self._page(verb), seq)
            except CastironError as error:
                answer.fail(error, seq)

        self._archive.ask(question)

    def _page(self, verb: AllocationList) -> AllocationListed:
        records = self._register.all()
        if verb.marker is not None:
            marker = self._get(verb.marker)
            place = next((place for place, one in enumerate(records) if one.uuid == marker.uuid), len(records))
            records = records[place + 1 :]
        is_wanted = self._condition(verb)
        found = list(islice((one for one in records if is_wanted(one)), verb.limit + 1))
        page = found[: verb.limit]
        return AllocationListed(
            allocations=[allocation_view(one) for one in page],
            next_marker=page[-1].uuid if len(found) > verb.limit else None,
        )

    def _condition(self, verb: AllocationList) -> Callable[[AllocationRecord], bool]:
        wanted: dict[str, object] = {
            "resource_class": verb.resource_class,
            "state": verb.state,
            "owner": verb.owner,
        }
        if verb.node is not None:
            published = self._services.board.node(verb.node)
            if published is None:
                raise node_not_found(verb.node)
            wanted["node_uuid"] = published.state.record.uuid
        given = {name: value for name, value in wanted.items() if value is not None}
        return lambda record: all(getattr(record, name) == value for name, value in given.items())


class Wait:
    """A client's wait for what becomes of an allocation: ended by that, by its time, or by the client's going.

    Whichever comes first gives back what the others hold. Any thread; never blocks.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        """Prepare it.

        Args:
            over: called when whoever waits is to be answered; once at the most.
        """
        self._over = over
        self._lock = threading.Lock()
        self._withdraw: Callable[[], bool] | None = None
        self._timer: Timer | None = None
        self._is_over = False

    def begin(self, withdraw: Callable[[], bool]) -> None:
        """Note how the wish to be told is withdrawn."""
        self._withdraw = withdraw

    def limit(self, timer: Timer) -> None:
        """Note what ends the wait in time."""
        with self._lock:
            self._timer = timer
            is_over = self._is_over
        if is_over:
            timer.cancel()

    def end(self) -> None:
        """Answer: something has become of the allocation."""
        self._finish()
        self._over()

    def cut_short(self) -> None:
        """Answer, unless that was done."""
        if self.give_up():
            self._over()

    def give_up(self) -> bool:
        """Wait no more; return whether nobody was answered. Idempotent."""
        is_waiting = self._withdraw is not None and self._withdraw()
        self._finish()
        return is_waiting

    def leave(self) -> None:
        """Wait no more. Idempotent."""
        self.give_up()

    def _finish(self) -> None:
        with self._lock:
            self._is_over = True
            timer = self._timer
        if timer is not None:
            timer.cancel()
