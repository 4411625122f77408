"""A periodic task for each node, in virtual time: when it runs for which, and what nodes that come and go change."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue
from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.periodics.context import NodeContext
from castiron.actors.periodics.declaring import NeverAgain, Terms, periodic
from castiron.actors.periodics.strategies import SOON_S
from castiron.actors.periodics.task import Watcher, Work
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.actors.published.board import Board
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, Seconds
from tests.support.store_records import plain_node

START = 1_000.0
SPACING_S = 100.0


class Inline:
    """A pool in virtual time whose work takes none."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.is_full = False
        self.submitted = 0

    def submit(self, call: Callable[[], Any], done: Callable[[Ended], None], **_: Any) -> Callable[[], None]:
        self.submitted += 1
        if self.is_full:
            done(Ended(error=NotBegun("full")))
            return lambda: None
        at = self.clock.now()
        try:
            ended = Ended(call(), None, at, at)
        except Exception as error:  # noqa: BLE001 - what a task raises is told
            ended = Ended(None, error, at, at)
        done(ended)
        return lambda: None


class World:
    """Nodes on a board, and a worker that hears of them."""

    def __init__(self) -> None:
        self.clock = VirtualClock(Instant(START))
        self.board = Board(max_waiters=1, seq=EventSeq(0))
        self.pool = Inline(self.clock)
        self.failed: list[tuple[Watcher, BaseException]] = []
        self.runs: list[tuple[str, float]] = []
        self.worker = PeriodicWorker(
            clock=self.clock,
            pool=self.pool,
            quick=self.pool,
            rng=Random(7),
            on_failure=lambda watcher, failure: self.failed.append((watcher, failure)),
            look=self.board.node,
        )
        self.board.attend(self.worker.meet)
        self.worker.start(allow_empty=True)

    def show(self, number: int, **changes: Any) -> None:
        record = replace(plain_node(number), **changes)
        self.board.admit(NodeState(record=record), EventSeq(0), generation=number)
        self.board.publish(NodeState(record=record), EventSeq(0), generation=number)

    def task(self, run: Callable[[NodeContext], Any] | None = None, name: str = "look", **terms: Any) -> Watcher:
        watcher = self.worker.take(Work(name, run or self.note), Terms(spacing_s=SPACING_S, per="node", **terms))
        assert watcher is not None
        return watcher

    def note(self, node: NodeContext) -> None:
        self.runs.append((node.node, self.clock.now() - START))

    def advance(self, by_s: float) -> None:
        self.clock.advance(Seconds(by_s))

    def at(self, name: str) -> list[float]:
        return [when for who, when in self.runs if who == name]


@pytest.fixture
def world() -> World:
    return World()


def test_each_node_has_a_timer_of_its_own_and_none_come_together(world: World) -> None:
    watcher = world.task()
    for number in range(1, 1_001):
        world.show(number)

    world.advance(SPACING_S)

    assert Counter(name for name, _ in world.runs) == Counter({f"n{number}": 1 for number in range(1, 1_001)})
    by_tenth = Counter(int(at / (SPACING_S / 10)) for _, at in world.runs)
    assert max(by_tenth.values()) < 150, "they are spread over the spacing"
    world.advance(SPACING_S * 2)
    assert set(Counter(name for name, _ in world.runs).values()) == {3}
    (first, second, third) = world.at("n5")
    assert [second - first, third - second] == pytest.approx([SPACING_S, SPACING_S])
    assert (watcher.runs, watcher.successes, watcher.node_count) == (3_000, 3_000, 1_000)
    assert (watcher.stand.value, watcher.due_at) == ("scheduled", None)


def test_first_runs_that_come_at_once_are_spread_too(world: World) -> None:
    world.task(run_immediately=True)
    for number in range(1, 101):
        world.show(number)
    world.advance(SOON_S / 2)
    assert 20 < len(world.runs) < 80
    world.advance(SOON_S / 2)
    assert len(world.runs) == 100


def test_nodes_come_go_and_change_their_driver(world: World) -> None:
    watcher = world.task(drivers=("ipmi",))
    world.show(1, driver="ipmi")
    world.show(2, driver="fake")
    assert watcher.node_count == 1

    world.show(2, driver="ipmi")
    assert watcher.node_count == 2
    world.show(1, driver="fake")
    world.advance(SPACING_S * 2)
    assert (world.at("n1"), len(world.at("n2"))) == ([], 2)

    world.board.remove(plain_node(2).uuid, EventSeq(0))
    world.advance(SPACING_S * 3)
    assert (watcher.node_count, len(world.runs), watcher.stand.value) == (0, 2, "idle")


def test_a_node_that_is_replaced_or_renamed_keeps_its_timer(world: World) -> None:
    world.task()
    world.show(1)
    world.advance(SPACING_S)
    for _ in range(50):
        world.advance(SPACING_S / 10)
        world.show(1, name=NodeName("other"))
    before = len(world.runs)
    assert before == 6
    world.advance(SPACING_S)
    assert (len(world.runs), world.runs[-1][0]) == (before + 1, "other"), "it is told of the node as it is now"


def test_what_is_passed_over_counts_for_nothing(world: World) -> None:
    def is_in_use(node: NodeContext) -> bool:
        return not node.maintenance

    watcher = world.task(when=is_in_use)
    world.show(1)
    world.show(2, maintenance=True)
    world.advance(SPACING_S)
    assert ([name for name, _ in world.runs], watcher.runs) == (["n1"], 1)
    world.show(2)
    world.advance(SPACING_S)
    assert (len(world.at("n2")), watcher.runs) == (1, 3)


def test_all_are_stopped_and_started_as_one_and_stay_spread(world: World) -> None:
    watcher = world.task()
    for number in range(1, 51):
        world.show(number)
    world.worker.stop_task("look")
    assert watcher.stand.value == "stopped"
    world.advance(SPACING_S * 2)
    assert (world.runs, world.pool.submitted) == ([], 0)
    world.worker.start_task("look")
    world.advance(SPACING_S)
    assert len(world.runs) == 50
    assert len({at for _, at in world.runs}) == 50


def test_never_again_is_said_of_one_node(world: World) -> None:
    def once(node: NodeContext) -> None:
        world.note(node)
        if node.node == "n1":
            raise NeverAgain

    watcher = world.task(once)
    world.show(1)
    world.show(2)
    world.advance(SPACING_S * 3)
    assert (len(world.at("n1")), len(world.at("n2")), watcher.failures) == (1, 3, 0)
    world.worker.start_task("look")
    world.worker.stop_task("look")
    world.worker.start_task("look")
    world.advance(SPACING_S)
    assert len(world.at("n1")) == 2


def test_one_that_lasts_never_overlaps_itself_and_holds_up_no_other_node(world: World) -> None:
    futures: dict[str, list[Future[None]]] = {}

    def begin(node: NodeContext) -> "Future[None]":
        world.note(node)
        future: Future[None] = Future()
        futures.setdefault(node.node, []).append(future)
        if node.node == "n2":
            future.set_result(None)
        return future

    watcher = world.task(begin, blocking=False, timeout_s=SPACING_S * 1.5)
    world.show(1)
    world.show(2)
    world.advance(SPACING_S)
    assert (len(futures["n1"]), len(futures["n2"]), watcher.stand.value) == (1, 1, "running")
    world.advance(SPACING_S * 3)
    assert (len(futures["n1"]), len(futures["n2"])) == (1, 4)
    ((failed, failure),) = world.failed
    assert isinstance(failure, Overdue)
    assert (failed.node, watcher.failures) == (plain_node(1).uuid, 1)
    futures["n1"][0].set_result(None)
    world.advance(SPACING_S)
    assert len(futures["n1"]) == 2
    futures["n1"][1].set_exception(ValueError("it is dark"))
    assert (watcher.failures, str(world.failed[1][1])) == (2, "it is dark")


def test_a_run_under_way_for_a_node_that_goes_is_counted_nowhere(world: World) -> None:
    future: Future[None] = Future()
    watcher = world.task(lambda _: future, blocking=False)
    world.show(1)
    world.advance(SPACING_S)
    world.board.remove(plain_node(1).uuid, EventSeq(0))
    future.set_result(None)
    world.advance(SPACING_S)
    assert (watcher.runs, watcher.node_count, watcher.stand.value) == (0, 0, "idle")


def test_a_run_that_finds_no_place_is_put_off_for_that_node(world: World) -> None:
    world.task()
    world.show(1)
    world.pool.is_full = True
    world.advance(SPACING_S)
    world.pool.is_full = False
    world.advance(2.0)
    assert len(world.runs) == 1


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"per": "rack"}, "per must be one of conductor, node"),
        ({"per": "conductor", "drivers": ("ipmi",)}, "they go with per='node'"),
        ({"per": "node", "strategy": "aligned_last_finished"}, "all nodes at once"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        periodic(spacing_s=1.0, **terms)


def test_secrets_are_in_the_clear_and_out_of_repr(world: World) -> None:
    seen: list[NodeContext] = []
    world.task(seen.append)
    world.show(1, driver_info={"ipmi_password": "sesame"}, secret_keys=frozenset({"ipmi_password"}))
    world.advance(SPACING_S)
    assert seen[0].driver_info["ipmi_password"] == "sesame"
    assert "sesame" not in repr(seen[0])
