"""The pool runs each actor on one thread at a time, loses nothing, and survives turns that never end."""

import threading
from collections.abc import Generator

import pytest
from pykka import ActorRef

from castiron.actors.dispatch.dispatcher import SlowTurn
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import abandon
from tests.unit.actors.pool_work import PATIENCE_S, Deadly, Doer, Faulty, Hang, Ledger, passed_through, settled


@pytest.fixture
def pool() -> Generator[PoolDispatcher]:
    pool = PoolDispatcher(2, max_threads=8, throughput=5)
    yield pool
    assert pool.stop(PATIENCE_S) == []


@pytest.fixture
def doer(pool: PoolDispatcher) -> Generator[ActorRef[Doer]]:
    ref = Doer.start(dispatcher=pool)
    yield ref
    ref.stop(timeout=PATIENCE_S)


@pytest.fixture
def hang(doer: ActorRef[Doer]) -> Generator[Hang]:
    hang = Hang()
    doer.tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)
    yield hang
    hang.let_go.set()


def test_many_senders_neither_overlap_nor_overtake_themselves() -> None:
    senders, messages = 8, 5_000
    pool = PoolDispatcher(4, throughput=7)
    ref = Ledger.start(pool, senders * messages)
    ledger = ref.proxy()
    entries = ledger.entries.get()
    is_complete = ledger.is_complete.get()

    def send(who: int) -> None:
        for number in range(messages):
            ref.tell((who, number))

    threads = [threading.Thread(target=send, args=(who,)) for who in range(senders)]
    for thread in threads:
        thread.start()

    assert is_complete.wait(PATIENCE_S)
    assert ledger.overlaps.get() == 0
    entries = ledger.entries.get()
    for who in range(senders):
        assert [number for sender, number in entries if sender == who] == list(range(messages))
    ref.stop()
    assert pool.stop(PATIENCE_S) == []


def test_a_busy_actor_yields_to_its_neighbour_after_a_turn() -> None:
    pool = PoolDispatcher(1, throughput=3)
    order: list[str] = []
    hang, is_over = Hang(), threading.Event()
    busy, neighbour = Doer.start(dispatcher=pool), Doer.start(dispatcher=pool)

    busy.tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)
    for _ in range(7):
        busy.tell(lambda: order.append("busy"))
    neighbour.tell(lambda: order.append("neighbour"))
    busy.tell(is_over.set)
    hang.let_go.set()

    assert is_over.wait(PATIENCE_S)
    assert order == ["busy"] * 2 + ["neighbour"] + ["busy"] * 5
    busy.stop()
    neighbour.stop()
    assert pool.stop(PATIENCE_S) == []


def test_two_pools_share_nothing() -> None:
    first, second = PoolDispatcher(1, name="first"), PoolDispatcher(1, name="second")
    one, other = Doer.start(dispatcher=first), Doer.start(dispatcher=second)

    names = [ref.ask(lambda: threading.current_thread().name) for ref in (one, other)]
    one.stop()
    assert first.stop(PATIENCE_S) == []

    assert names == ["first-1", "second-1"]
    assert other.ask(lambda: "alive", timeout=PATIENCE_S) == "alive"
    assert not first.is_alive()
    assert second.is_alive()
    other.stop()
    assert second.stop(PATIENCE_S) == []


def test_threads_are_daemons(doer: ActorRef[Doer]) -> None:
    assert doer.ask(lambda: threading.current_thread().daemon)


def test_the_backlog_is_what_is_ready_and_has_no_thread() -> None:
    pool = PoolDispatcher(1)
    refs = [Doer.start(dispatcher=pool) for _ in range(3)]
    hang = Hang()
    refs[0].tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)
    passed = threading.Event()

    for ref in refs[1:]:
        ref.tell(passed.set)

    assert pool.backlog() == 2
    assert pool.counters()["ready"] == 2
    hang.let_go.set()
    for ref in refs:
        ref.stop(timeout=PATIENCE_S)
    assert pool.stop(PATIENCE_S) == []


def test_a_pool_grows_while_its_workers_wait_for_each_other_and_shrinks_afterwards(pool: PoolDispatcher) -> None:
    chain = [Doer.start(dispatcher=pool) for _ in range(6)]

    def pass_on(depth: int) -> int:
        if depth == len(chain):
            return depth
        answer = chain[depth].ask(lambda: pass_on(depth + 1), timeout=PATIENCE_S)
        assert isinstance(answer, int)
        return answer

    assert pass_on(0) == 6
    counters = pool.counters()
    assert counters["threads_peak"] > 2
    assert counters["starved"] == 0
    for ref in chain:
        ref.stop(timeout=PATIENCE_S)
    assert settled(pool, "threads", 2)


def test_a_pool_grows_no_further_than_its_bound() -> None:
    pool = PoolDispatcher(1, max_threads=2)
    chain = [Doer.start(dispatcher=pool) for _ in range(3)]
    hang = Hang()

    outer = chain[0].ask(lambda: chain[1].ask(lambda: chain[2].ask(hang, block=False).get(timeout=0.01)), block=False)

    with pytest.raises(Exception, match="seconds"):
        outer.get(timeout=PATIENCE_S)
    assert pool.counters()["threads_peak"] == 2
    assert pool.counters()["starved"] >= 1
    hang.let_go.set()
    for ref in chain:
        ref.stop(timeout=PATIENCE_S)
    assert pool.stop(PATIENCE_S) == []


def test_a_turn_that_lasts_is_named_by_actor_and_message(
    pool: PoolDispatcher, doer: ActorRef[Doer], hang: Hang
) -> None:
    turns = pool.stuck(0)

    assert [(turn.actor, turn.message) for turn in turns] == [(str(doer), "Hang")]
    assert turns[0].worker.startswith("castiron-dispatcher-")
    assert pool.stuck(3_600) == []


def test_a_turn_is_measured_by_the_clock_that_was_given() -> None:
    now = [100.0]
    pool = PoolDispatcher(1, monotonic=lambda: now[0])
    ref, hang = Doer.start(dispatcher=pool), Hang()
    ref.tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)

    now[0] = 130.0

    assert [turn.lasts_s for turn in pool.stuck(30)] == [30.0]
    assert pool.stuck(30.1) == []
    hang.let_go.set()
    ref.stop()
    assert pool.stop(PATIENCE_S) == []


def test_a_hung_worker_is_replaced_once_and_leaves_when_its_turn_ends(pool: PoolDispatcher, hang: Hang) -> None:
    (turn,) = pool.stuck(0)

    assert pool.replace_hung(turn)
    assert not pool.replace_hung(turn)

    assert pool.counters()["threads"] == 3
    assert pool.counters()["threads_hung"] == 1
    assert pool.counters()["replaced"] == 1
    hung = next(thread for thread in threading.enumerate() if thread.name == turn.worker)
    hang.let_go.set()
    hung.join(PATIENCE_S)
    assert not hung.is_alive()
    assert pool.counters()["threads"] == 2
    assert pool.is_alive()


def test_with_every_worker_hung_the_replacements_do_the_work() -> None:
    pool = PoolDispatcher(2)
    hangs = [Hang(), Hang()]
    hung = [Doer.start(dispatcher=pool) for _ in hangs]
    for ref, hang in zip(hung, hangs, strict=True):
        ref.tell(hang)
        assert hang.has_begun.wait(PATIENCE_S)
    healthy = Doer.start(dispatcher=pool)
    answer = healthy.ask(lambda: "done", block=False)

    for turn in pool.stuck(0):
        assert pool.replace_hung(turn)

    assert answer.get(timeout=PATIENCE_S) == "done"
    for hang in hangs:
        hang.let_go.set()
    for ref in [*hung, healthy]:
        ref.stop(timeout=PATIENCE_S)
    assert pool.stop(PATIENCE_S) == []


def test_a_turn_that_ended_meanwhile_is_not_replaced() -> None:
    pool = PoolDispatcher(1)
    ref, hangs = Doer.start(dispatcher=pool), [Hang(), Hang()]
    turns: list[SlowTurn] = []
    for hang in hangs:
        ref.tell(hang)
        assert hang.has_begun.wait(PATIENCE_S)
        turns += pool.stuck(0)
        if hang is hangs[0]:
            hang.let_go.set()
            passed_through(pool)

    assert not pool.replace_hung(turns[0])
    assert pool.replace_hung(turns[1])

    hangs[1].let_go.set()
    ref.stop(timeout=PATIENCE_S)
    assert pool.stop(PATIENCE_S) == []


def test_a_pool_at_its_bound_replaces_nobody() -> None:
    pool = PoolDispatcher(1, max_threads=1)
    ref, hang = Doer.start(dispatcher=pool), Hang()
    ref.tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)

    assert not pool.replace_hung(pool.stuck(0)[0])

    hang.let_go.set()
    assert ref.ask(lambda: "alive", timeout=PATIENCE_S) == "alive"
    ref.stop()
    assert pool.stop(PATIENCE_S) == []


def test_an_abandoned_actor_is_dead_to_everybody_at_once(
    pool: PoolDispatcher, doer: ActorRef[Doer], hang: Hang
) -> None:
    ran: list[str] = []
    doer.tell(lambda: ran.append("after the hang"))
    waiting = doer.ask(lambda: "answer", block=False)

    abandon(doer)

    assert not doer.is_alive()
    with pytest.raises(Exception, match="stopped before handling the message"):
        waiting.get(timeout=0)
    hang.let_go.set()
    assert pool.stop(PATIENCE_S) == []
    assert ran == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_seen_and_replaced_and_what_it_had_in_hand_gets_its_turn() -> None:
    pool, deadly = PoolDispatcher(2, name="mortal"), Deadly()
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("mortal-")]

    pool.schedule(deadly)
    assert deadly.has_begun.wait(PATIENCE_S)
    assert deadly.victim in workers
    deadly.victim.join(PATIENCE_S)

    assert not pool.is_alive()
    assert [pool.mend(), pool.mend()] == [1, 0]
    assert pool.is_alive()
    assert (pool.counters()["threads"], pool.counters()["mended"]) == (2, 1)
    assert deadly.is_over.wait(PATIENCE_S)
    assert pool.stop(PATIENCE_S) == []


def test_a_turn_that_raises_costs_no_thread(pool: PoolDispatcher, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        pool.schedule(Faulty())
    passed_through(pool)

    assert pool.stop(PATIENCE_S) == []
    assert pool.counters()["turns"] == 6
    assert caplog.text.count("a turn of faulty raised") == 5


def test_stopping_names_the_threads_that_hang_and_ends_the_rest() -> None:
    pool = PoolDispatcher(3, name="half")
    ref, hang = Doer.start(dispatcher=pool), Hang()
    ref.tell(hang)
    assert hang.has_begun.wait(PATIENCE_S)
    (turn,) = pool.stuck(0)

    hung = pool.stop(0.05)

    assert hung == [turn.worker]
    hang.let_go.set()
    assert pool.stop(PATIENCE_S) == []
    assert not any(thread.name.startswith("half-") for thread in threading.enumerate())


def test_an_actor_can_stop_its_own_pool() -> None:
    pool = PoolDispatcher(2)
    ref = Doer.start(dispatcher=pool)

    assert ref.ask(lambda: pool.stop(PATIENCE_S), timeout=PATIENCE_S) == []

    assert pool.stop(PATIENCE_S) == []
    ref.actor_stopped.set()
    abandon(ref)


@pytest.mark.parametrize(("threads", "throughput", "max_threads"), [(0, 1, 4), (5, 1, 4), (1, 0, 4)])
def test_an_impossible_pool_is_refused(threads: int, throughput: int, max_threads: int) -> None:
    with pytest.raises(ValueError, match="make no pool"):
        PoolDispatcher(threads, throughput=throughput, max_threads=max_threads)
