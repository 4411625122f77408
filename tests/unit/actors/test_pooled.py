"""A dispatched actor is a Pykka actor, and dies alone."""

import gc
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from pykka import ActorDeadError, ActorRef, ActorRegistry
from pykka._envelope import Envelope

from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.dispatch.future import DispatchedFuture
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import ActorCrashed, DispatchedActor, abandon
from castiron.actors.dispatch.virtual import SimDispatcher

PATIENCE_S = 10.0

Action = Callable[[], Any]


def raising(error: BaseException) -> Action:
    def action() -> None:
        raise error

    return action


def nothing() -> None:
    pass


class Recorder(DispatchedActor):
    """Does what it is sent, and writes down what Pykka calls."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        record: list[str],
        *,
        inbox_limit: int = 100,
        on_start: Action = nothing,
        on_stop: Action = nothing,
        on_failure: Action = nothing,
    ) -> None:
        super().__init__(dispatcher=dispatcher, inbox_limit=inbox_limit)
        self.record = record
        self.hooks = {"on_start": on_start, "on_stop": on_stop, "on_failure": on_failure}

    def note(self, hook: str) -> None:
        self.record.append(hook)
        self.hooks[hook]()

    def on_start(self) -> None:
        self.note("on_start")

    def on_stop(self) -> None:
        self.note("on_stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:  # noqa: ARG002 - Pykka's
        cause = exception_value.__cause__
        self.record.append(f"{exception_type.__name__} from {type(cause).__name__}" if cause else str(exception_value))
        self.note("on_failure")

    def on_receive(self, message: Action) -> Any:
        return message()


@dataclass(frozen=True, slots=True)
class Control:
    """A control message that does something."""

    action: Action
    is_control: ClassVar[bool] = True

    def __call__(self) -> Any:
        return self.action()


@pytest.fixture(params=["pool", "simulation"])
def dispatcher(request: pytest.FixtureRequest) -> Generator[Dispatcher]:
    dispatcher: Dispatcher = PoolDispatcher(2) if request.param == "pool" else SimDispatcher()
    yield dispatcher
    assert dispatcher.stop(PATIENCE_S) == []


@pytest.fixture
def pool() -> Generator[PoolDispatcher]:
    pool = PoolDispatcher(2)
    yield pool
    assert pool.stop(PATIENCE_S) == []


@pytest.fixture
def record() -> list[str]:
    return []


@pytest.fixture
def bystander(dispatcher: Dispatcher) -> Generator[ActorRef[Recorder]]:
    ref = Recorder.start(dispatcher, [])
    yield ref
    assert ref.is_alive(), "nobody else may die"
    ref.stop(timeout=PATIENCE_S)


def wait_until_dead(ref: ActorRef[Recorder], dispatcher: Dispatcher) -> None:
    if isinstance(dispatcher, SimDispatcher):
        dispatcher.run_until_idle()
    assert ref.actor_stopped.wait(PATIENCE_S)


def wait_until_buried(ref: ActorRef[Recorder], dispatcher: Dispatcher) -> None:
    """Whoever asks a dead actor is answered: after its burial at once, before it when it is buried."""
    wait_until_dead(ref, dispatcher)
    with pytest.raises(ActorDeadError):
        ref.ask(nothing, timeout=PATIENCE_S)


def test_a_failure_under_ask_goes_to_the_caller_and_the_actor_lives(dispatcher: Dispatcher, record: list[str]) -> None:
    ref = Recorder.start(dispatcher, record)

    with pytest.raises(LookupError, match="no such thing"):
        ref.ask(raising(LookupError("no such thing")), timeout=PATIENCE_S)

    assert ref.ask(lambda: "alive", timeout=PATIENCE_S) == "alive"
    assert ref.stop(timeout=PATIENCE_S)
    assert record == ["on_start", "on_stop"]


def test_a_failure_under_tell_ends_the_actor_and_calls_on_failure(dispatcher: Dispatcher, record: list[str]) -> None:
    failed = threading.Event()
    ref = Recorder.start(dispatcher, record, on_failure=failed.set)

    ref.tell(raising(LookupError("no such thing")))

    wait_until_dead(ref, dispatcher)
    assert failed.wait(PATIENCE_S)
    assert record == ["on_start", "no such thing", "on_failure"]
    assert ref not in ActorRegistry.get_all()
    with pytest.raises(ActorDeadError):
        ref.tell(nothing)


def test_messages_left_behind_get_an_actor_dead_error(dispatcher: Dispatcher, record: list[str]) -> None:
    ready = threading.Event()
    ref = Recorder.start(dispatcher, record, on_start=lambda: ready.wait(PATIENCE_S))
    ref.tell(raising(LookupError("the last message")))
    left = [ref.ask(nothing, block=False), ref.ask(Control(nothing), block=False), ref.ask(nothing, block=False)]
    ready.set()

    wait_until_dead(ref, dispatcher)

    assert left[1].get(timeout=PATIENCE_S) is None  # the control lane goes first: it was not left behind
    for future in (left[0], left[2]):
        with pytest.raises(ActorDeadError):
            future.get(timeout=PATIENCE_S)


def test_stop_passes_a_full_mailbox_and_waits_for_what_came_before(dispatcher: Dispatcher, record: list[str]) -> None:
    ready = threading.Event()
    ref = Recorder.start(dispatcher, record, inbox_limit=2, on_start=lambda: ready.wait(PATIENCE_S))
    ref.tell(lambda: record.append("first"))
    ref.tell(lambda: record.append("second"))
    with pytest.raises(InboxFull):
        ref.tell(nothing)
    with pytest.raises(InboxFull):
        ref.ask(nothing, block=False)

    stopped = ref.stop(block=False)
    ready.set()

    assert stopped.get(timeout=PATIENCE_S)
    assert record == ["on_start", "first", "second", "on_stop"]


def test_control_passes_a_full_mailbox_and_goes_first(dispatcher: Dispatcher, record: list[str]) -> None:
    ready = threading.Event()
    ref = Recorder.start(dispatcher, record, inbox_limit=1, on_start=lambda: ready.wait(PATIENCE_S))
    ref.tell(lambda: record.append("work"))

    ref.tell(Control(lambda: record.append("control")))
    ready.set()
    ref.stop(timeout=PATIENCE_S)

    assert record == ["on_start", "control", "work", "on_stop"]


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), BaseException("odd")], ids=repr)
def test_a_base_exception_under_tell_ends_that_actor_alone(
    dispatcher: Dispatcher, record: list[str], bystander: ActorRef[Recorder], error: BaseException
) -> None:
    failed = threading.Event()
    ref = Recorder.start(dispatcher, record, on_failure=failed.set)

    ref.tell(raising(error))

    wait_until_buried(ref, dispatcher)
    assert failed.wait(PATIENCE_S)
    assert record == ["on_start", f"ActorCrashed from {type(error).__name__}", "on_failure"]
    assert ref not in ActorRegistry.get_all()
    assert bystander.ask(lambda: "alive", timeout=PATIENCE_S) == "alive"
    assert dispatcher.counters()["crashes"] == 1


def test_a_base_exception_under_ask_is_told_to_the_caller_and_ends_the_actor(
    dispatcher: Dispatcher, record: list[str], bystander: ActorRef[Recorder]
) -> None:
    ref = Recorder.start(dispatcher, record)

    with pytest.raises(ActorCrashed, match="SystemExit in Recorder") as crash:
        ref.ask(raising(SystemExit(3)), timeout=PATIENCE_S)

    assert isinstance(crash.value.__cause__, SystemExit)
    wait_until_buried(ref, dispatcher)
    assert record == ["on_start", "ActorCrashed from SystemExit", "on_failure"]


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_failure"])
def test_a_base_exception_in_a_hook_ends_that_actor_alone(
    dispatcher: Dispatcher, record: list[str], bystander: ActorRef[Recorder], hook: str
) -> None:
    action = raising(SystemExit(3))
    hooks = {"on_start": nothing, "on_stop": nothing, "on_failure": nothing} | {hook: action}
    ref = Recorder.start(dispatcher, record, **hooks)

    if hook == "on_stop":
        assert ref.stop(timeout=PATIENCE_S)
    elif hook == "on_failure":
        ref.tell(raising(LookupError("fails")))

    wait_until_buried(ref, dispatcher)
    assert record[-1] == hook
    assert ref not in ActorRegistry.get_all()
    assert dispatcher.counters()["crashes"] == 1


def test_a_base_exception_in_on_failure_of_a_crash_still_answers_the_caller(
    dispatcher: Dispatcher, record: list[str], bystander: ActorRef[Recorder]
) -> None:
    ref = Recorder.start(dispatcher, record, on_failure=raising(SystemExit(4)))

    with pytest.raises(ActorCrashed):
        ref.ask(raising(SystemExit(3)), timeout=PATIENCE_S)

    wait_until_buried(ref, dispatcher)


def test_an_interrupt_in_a_simulation_reaches_whoever_runs_it(record: list[str]) -> None:
    simulation = SimDispatcher()
    ref, bystander = Recorder.start(simulation, record), Recorder.start(simulation, [])
    ref.tell(raising(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        simulation.run_until_idle()

    assert not ref.is_alive()
    simulation.run_until_idle()
    assert bystander.stop()


def test_proxies_work(dispatcher: Dispatcher, record: list[str]) -> None:
    ref = Recorder.start(dispatcher, record)

    proxy = ref.proxy()
    proxy.note("on_start").get(timeout=PATIENCE_S)

    assert proxy.record.get(timeout=PATIENCE_S) == ["on_start", "on_start"]
    ref.stop(timeout=PATIENCE_S)


def test_an_actor_tells_itself_before_it_is_started(dispatcher: Dispatcher, record: list[str]) -> None:
    class Eager(Recorder):
        def __init__(self) -> None:
            super().__init__(dispatcher, record)
            self.actor_ref.tell(lambda: record.append("told in __init__"))

    ref = Eager.start()
    ref.stop(timeout=PATIENCE_S)

    assert record == ["on_start", "told in __init__", "on_stop"]


def test_whoever_puts_while_an_actor_ends_is_answered(pool: PoolDispatcher) -> None:
    for _ in range(50):
        ref = Recorder.start(pool, [], inbox_limit=10_000)
        futures = [DispatchedFuture[str]() for _ in range(200)]
        start = threading.Barrier(3)

        def put(which: slice, ref: ActorRef[Recorder] = ref, futures: Any = futures, start: Any = start) -> None:
            start.wait(PATIENCE_S)
            for future in futures[which]:
                ref.actor_inbox.put(Envelope(lambda: "done", reply_to=future))  # as `ask` does after it looked

        threads = [threading.Thread(target=put, args=(slice(who, None, 2),)) for who in range(2)]
        for thread in threads:
            thread.start()
        start.wait(PATIENCE_S)
        ref.stop(timeout=PATIENCE_S)
        for thread in threads:
            thread.join(PATIENCE_S)

        for future in futures:
            with suppress(ActorDeadError):
                assert future.get(timeout=PATIENCE_S) == "done"


def test_a_stopped_actor_is_let_go_while_its_ref_is_kept(dispatcher: Dispatcher) -> None:
    class Known(Recorder):
        known: ClassVar[list[weakref.ref[Any]]] = []

        def __init__(self) -> None:
            super().__init__(dispatcher, [])
            self.known.append(weakref.ref(self))

    ref = Known.start()
    gc.collect()
    assert Known.known[0]() is not None, "a started actor lives without anybody holding it"

    ref.stop(timeout=PATIENCE_S)
    assert dispatcher.stop(PATIENCE_S) == []
    gc.collect()

    assert Known.known[0]() is None
    assert not ref.is_alive()


def test_abandoning_twice_or_after_the_end_does_no_harm(dispatcher: Dispatcher, record: list[str]) -> None:
    ref = Recorder.start(dispatcher, record)

    abandon(ref)
    abandon(ref)

    assert not ref.stop(timeout=PATIENCE_S)
    assert "on_stop" not in record
