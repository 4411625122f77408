"""What is answered at an event number takes all events up to it into account, whatever happens meanwhile."""

from collections.abc import Callable, Generator

import pytest

from castiron.actors.published.archive import Library, Question
from castiron.actors.reception.desk import Reception
from castiron.store.errors import StoreUnusable
from castiron.store.records import ALL, RequestRecord, Wanted
from castiron.testing.simulation.evidence import Question as Asked
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.verbs import AnyVerb, NodePowerSet, RequestCancel, RequestList, RequestShow
from castiron.transport.vocabulary import EventSeq, Policy, PowerTarget, RequestID
from tests.support.conductor_sim import Heard as End
from tests.support.conductor_sim import Simulation


class Busy:
    """A store of which something else becomes true as soon as it has been read."""

    def __init__(self, library: Library, happen: Callable[[], None]) -> None:
        self._library = library
        self._happen = happen

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)

    def request(self, request_id: RequestID) -> RequestRecord | None:
        found = self._library.request(request_id)
        self._happen()
        return found

    def requests(
        self,
        wanted: Wanted = ALL,
        *,
        limit: int,
        before: RequestID | None = None,
    ) -> list[RequestRecord]:
        found = self._library.requests(wanted, limit=limit, before=before)
        self._happen()
        return found


class Broken:
    """A store, or something in front of it, that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        raise self._error


class AtOnce:
    """Answers questions where they are put."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def ask(self, question: Question) -> None:
        question(self._library)

    def ease(self) -> None:
        pass

    def waiting(self) -> int:
        return 0


class Heard(Asked):
    """An answer, and the number at which it holds."""

    seq: EventSeq | None = None

    def final(self, result: object, seq: EventSeq) -> None:
        super().final(result, seq)
        self.seq = seq


@pytest.fixture
def simulation() -> Generator[Simulation]:
    one = Simulation(1)
    one.create("n1")
    one.settle()
    yield one
    one.house.end()
    one.store.close()


def told(simulation: Simulation, library: Library, verb: AnyVerb) -> Heard:
    """Return what is answered where this is the store."""
    house = simulation.house
    reception = Reception(
        simulation.services, simulation.kin, AtOnce(library), house.reception._desk, house.intake, bulks=house.bulks
    )
    heard = Heard("test", verb, 0.0)
    reception.handle(verb, PeerInfo("test", ""), heard)
    return heard


@pytest.mark.parametrize("verb", [RequestList(), RequestShow(request="old")])
def test_an_answer_is_never_older_than_it_says(simulation: Simulation, verb: AnyVerb) -> None:
    first = simulation.power("n1", PowerTarget.ON, waits=False)
    simulation.settle()
    if isinstance(verb, RequestShow):
        verb = RequestShow(request=str(first.accepted_id))
        simulation.services.board._ended.clear()  # ended so long ago that only the store knows it
    before = simulation.services.board.seq

    def happen() -> None:
        simulation.power("n1", PowerTarget.OFF, waits=False)
        simulation.settle()

    library: Library = Busy(simulation.store, happen)  # type: ignore[assignment]  # all else is the store's
    heard = told(simulation, library, verb)

    assert simulation.services.board.seq > before
    assert (heard.told_count, heard.seq) == (1, before)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (StoreUnusable("c.db cannot be used: disk I/O error"), "The store could not be read."),
        (OverflowError("cannot convert float infinity to integer"), "It could not be answered."),
    ],
)
def test_the_store_is_blamed_for_its_own_failures_only(
    simulation: Simulation, caplog: pytest.LogCaptureFixture, error: Exception, what: str
) -> None:
    library: Library = Broken(error)  # type: ignore[assignment]  # it is nothing else

    failure = told(simulation, library, RequestList()).error

    assert failure is not None
    assert (failure.code, failure.message.startswith(what)) == ("internal", True)
    assert failure.error_id is not None
    assert failure.error_id in failure.message
    assert str(error) not in failure.message
    (logged,) = [record for record in caplog.records if failure.error_id in record.getMessage()]
    assert logged.exc_info is not None
    assert logged.exc_info[1] is error


def test_who_comes_too_late_at_the_node_is_told_how_the_request_has_ended(simulation: Simulation) -> None:
    simulation.power("n1", PowerTarget.REBOOT, waits=False)
    simulation.run(20)
    node = simulation.services.board.node("n1")
    assert node is not None
    off = NodePowerSet(node="n1", target=PowerTarget.OFF, policy=Policy.AFTER)
    waiting = End("power off")
    simulation.house.intake.submit(node.state, off, "test", waiting)
    simulation.run(20)  # both are on disk, and the second one waits
    request = str(waiting.accepted_id)

    first, late = End("cancel"), End("cancel")
    for answer in (first, late):
        simulation.house.intake.withdraw(RequestCancel(request=request), "test", answer)
    simulation.settle()

    assert (first.told, late.told) == (["final"], ["RequestEnded"])
    assert late.error is not None
    assert late.error.details == {"request": request, "state": "cancelled"}
