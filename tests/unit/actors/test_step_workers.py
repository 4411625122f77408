"""Workers carry steps out: so many at once, each with its time, whatever a stranger's code does."""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.actors.steps import StepContext, deferred, step
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.tokens import StepPlace, Tokens
from castiron.actors.steps.workers import Job, Workers
from castiron.store.errors import SecretsUnreadable
from castiron.store.secrets import Key, Sealer
from castiron.transport.errors import StepFailed, StepTimeout, StepTokenInvalid
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, RequestID, Seconds
from tests.support.deadline import until

GATE = threading.Event()


@step(interface="test")
def plain(context: StepContext, size: int = 1) -> dict[str, Any]:
    """Tell what it was given."""
    return {"size": size, "node": context.node}


@step(interface="test")
def waits(context: StepContext) -> None:
    """Wait until the test lets it go, or it is to stop."""
    del context
    GATE.wait(30.0)


@step(interface="test")
def obeys(context: StepContext) -> dict[str, Any]:
    """Wait until it is asked to stop."""
    return {"stopped": context.cancelled.wait(30.0)}


@step(interface="test")
def later(context: StepContext) -> Deferred:
    """Somebody else tells the end."""
    del context
    return deferred(60.0)


@step(interface="test")
def raises(context: StepContext) -> None:
    """Fail."""
    del context
    raise ValueError("x" * 10_000)


@step(interface="test")
def exits(context: StepContext) -> None:
    """End its worker, or try to."""
    del context
    raise SystemExit(3)


@step(interface="test")
def rubbish(context: StepContext) -> Any:
    """Return what no step returns."""
    del context
    return object()


@step(interface="test")
def says_yes(context: StepContext) -> Any:
    """Return what only a look returns."""
    del context
    return True


@says_yes.verify
def forgets(context: StepContext) -> Any:
    """Say nothing of whether it was done."""
    del context


@plain.verify
def is_done(context: StepContext, /, **args: Any) -> bool:
    """Say so."""
    del context
    return args == {"size": 2}


STEPS = (plain, waits, obeys, later, raises, exits, rubbish, says_yes)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def workers(clock: VirtualClock) -> Iterator[Workers]:
    GATE.clear()
    made = Workers(Shelf(STEPS), Bulkhead("steps", 2, clock))
    yield made
    GATE.set()
    made.stop()


def submit(
    workers: Workers,
    name: str,
    args: Mapping[str, Any] | None = None,
    *,
    what: str = "execute",
    deadline: float = 1e12,
    whose: str | None = None,
) -> tuple[list[Outcome], Callable[[], None]]:
    told: list[Outcome] = []
    context = StepContext(
        node="n1",
        node_uuid="u",
        driver="fake",
        driver_info={},
        properties={},
        attempt=1,
        deadline=Instant(deadline),
        token="t",
    )
    work = RunStep(interface="test", step=name, args=args or {}, what=what)
    return told, workers.submit(Job(work=work, context=context, done=told.append, whose=whose or object()))


def outcome(workers: Workers, name: str, args: Mapping[str, Any] | None = None, *, what: str = "execute") -> Outcome:
    told, _ = submit(workers, name, args, what=what)
    until(lambda: bool(told))
    return told[0]


def test_a_step_gets_its_arguments_and_its_context(workers: Workers) -> None:
    assert outcome(workers, "plain", {"size": 3}) == Done(value={"size": 3, "node": "n1"})


def test_whether_it_was_done_is_asked_of_the_step(workers: Workers) -> None:
    assert outcome(workers, "plain", {"size": 2}, what="verify") == Done(value=True)
    assert outcome(workers, "plain", {"size": 1}, what="verify") == Done(value=False)


def test_who_forgets_to_say_whether_it_was_done_has_not_said_that_it_was(workers: Workers) -> None:
    told = outcome(workers, "says_yes", what="verify")

    assert isinstance(told, NotDone)
    assert "whether it was done, and returned NoneType" in told.error.message


def test_a_step_may_leave_its_end_to_somebody_else(workers: Workers) -> None:
    assert outcome(workers, "later") == Done(value=Deferred(60.0))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "test.raises raised ValueError: xxx"),
        ("exits", "test.exits raised SystemExit: 3"),
        ("rubbish", "test.rubbish returned object; a step returns a map, None or deferred()."),
        ("says_yes", "test.says_yes returned bool; a step returns a map, None or deferred()."),
    ],
)
def test_what_a_stranger_does_is_its_steps_failure(workers: Workers, name: str, says: str) -> None:
    told = outcome(workers, name)

    assert isinstance(told, NotDone)
    assert isinstance(told.error, StepFailed)
    assert told.error.message.startswith(says)
    assert len(told.error.message) < 600
    assert outcome(workers, "plain") == Done(value={"size": 1, "node": "n1"})


def test_a_step_that_is_gone_is_told_with_what_to_do(workers: Workers) -> None:
    told = outcome(workers, "gone")

    assert isinstance(told, NotDone)
    assert told.applied is Applied.NO
    assert "Install its plug-in again." in told.error.message


def test_no_more_run_at_once_than_may(workers: Workers) -> None:
    several = [submit(workers, "waits")[0] for _ in range(3)]

    until(lambda: workers.counters() == {"running": 2, "waiting": 1, "hung": 0})
    GATE.set()
    until(lambda: all(map(bool, several)))


def test_a_step_that_hangs_loses_its_place_and_its_say(workers: Workers, clock: VirtualClock) -> None:
    at = clock.now() + 5.0
    hung = [submit(workers, "waits", deadline=at)[0] for _ in range(2)]
    until(lambda: workers.counters()["running"] == 2)

    clock.advance(Seconds(6.0))

    for told in hung:
        (said,) = told
        assert isinstance(said, NotDone)
        assert isinstance(said.error, StepTimeout)
        assert said.applied is Applied.UNKNOWN
    assert workers.counters() == {"running": 0, "waiting": 0, "hung": 2}
    assert outcome(workers, "plain") == Done(value={"size": 1, "node": "n1"})
    GATE.set()
    until(lambda: workers.counters()["hung"] == 0)
    assert [len(told) for told in hung] == [1, 1]


def test_what_is_begun_again_waits_for_its_thread_of_before(workers: Workers) -> None:
    first, stop = submit(workers, "waits", whose="mine")
    stop()
    again, _ = submit(workers, "plain", whose="mine")

    assert outcome(workers, "plain") == Done(value={"size": 1, "node": "n1"}), "others do not wait for it"
    assert (workers.counters(), again) == ({"running": 1, "waiting": 1, "hung": 0}, [])
    GATE.set()
    until(lambda: bool(first and again))


def test_what_is_begun_again_waits_no_longer_than_the_first_may_take(workers: Workers, clock: VirtualClock) -> None:
    submit(workers, "waits", whose="mine", deadline=clock.now() + 5.0)
    again, _ = submit(workers, "plain", whose="mine")

    clock.advance(Seconds(6.0))

    until(lambda: bool(again))
    assert again == [Done(value={"size": 1, "node": "n1"})]


def test_a_step_is_asked_to_stop(workers: Workers) -> None:
    told, stop = submit(workers, "obeys")
    until(lambda: workers.counters()["running"] == 1)

    stop()

    until(lambda: bool(told))
    assert told == [Done(value={"stopped": True})]


def test_a_token_is_for_one_step_of_one_node() -> None:
    sealer = Sealer(Key.make("k"))
    tokens = Tokens(sealer.seal, partial(opened, sealer))
    place = StepPlace(RequestID("r"), "wait", 2)
    token = tokens.give(NodeUUID("a"), place)

    assert tokens.read(NodeUUID("a"), "n1", token) == place
    for node, said in ((NodeUUID("b"), token), (NodeUUID("a"), token[:-4] + "AAA="), (NodeUUID("a"), "x")):
        with pytest.raises(StepTokenInvalid):
            tokens.read(node, "n1", said)


def opened(sealer: Sealer, row: str, sealed: str) -> str:
    try:
        return sealer.open(row, sealed)
    except SecretsUnreadable as error:
        raise ValueError(str(error)) from None
