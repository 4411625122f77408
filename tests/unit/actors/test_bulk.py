"""A bulk's actor among the real ones, in virtual time: when it asks whom, and what ends it."""

from collections.abc import Callable, Generator
from typing import Any

import pytest
from pykka import ActorRef

from castiron.actors.bulk import telling as rules
from castiron.actors.bulk.bulks import Bulks
from castiron.actors.bulk.choice import Chosen
from castiron.actors.bulk.telling import Outcome, Telling
from castiron.actors.settings import Settings
from castiron.store.records import EventRecord
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.doors.slip import Slip
from castiron.transport.errors import CastironError, NodeNotFound
from castiron.transport.replies import BulkOutcome, BulkPart, BulkView
from castiron.transport.verbs import BulkCancel, BulkRun, Verb
from castiron.transport.vocabulary import EventSeq, NodeName, NodeUUID, Seconds
from tests.support.conductor_sim import Heard, Simulation

ON = {"verb": "node.power.set", "target": "power on"}


class Client(Heard):
    """Hears a bulk's parts, takes them when it likes, and may go."""

    def __init__(self) -> None:
        super().__init__("bulk")
        self.views: list[BulkView] = []
        self.outcomes: list[BulkOutcome] = []
        self.slips: list[Slip] = []
        self.is_reading = True
        self.go: Callable[[], object] = lambda: None

    def accepted(self, result: Any, seq: EventSeq) -> None:
        super().accepted(result, seq)
        self.views.append(result)

    def part(self, result: Any, seq: EventSeq) -> Slip:
        assert isinstance(result, BulkPart)
        self.outcomes += result.outcomes
        slip = super().part(result, seq) if self.is_reading else Slip()
        self.slips.append(slip)
        return slip

    def final(self, result: Any, seq: EventSeq) -> None:
        super().final(result, seq)
        self.views.append(result)

    def when_gone(self, call: Callable[[], object]) -> None:
        self.go = call


class World:
    """A conductor with nodes n0 to n4."""

    def __init__(self) -> None:
        self.simulation = Simulation(1)
        for number in range(5):
            self.simulation.create(f"n{number}")
        self.simulation.settle()
        self.began_at = self.simulation.clock.now()

    def ask(self, verb: Verb) -> Client:
        client = Client()
        self.simulation.house.reception.handle(verb, PeerInfo("test", ""), client)  # type: ignore[arg-type]  # any verb
        return client

    def live(self, seconds: float) -> None:
        self.simulation.live(Seconds(seconds))

    def starts(self) -> list[tuple[str, float]]:
        """Who was started when, in seconds since the beginning."""
        events: list[EventRecord] = self.simulation.store.events(since=EventSeq(0), limit=10_000)
        found = [event.draft for event in events if event.draft.type == "node.power_set.start"]
        return [(str(draft.node_name), round(draft.at - self.began_at)) for draft in found]


@pytest.fixture
def world() -> Generator[World]:
    one = World()
    yield one
    one.simulation.house.end()
    one.simulation.store.close()


def test_a_rehearsal_takes_no_time_and_stops_nobody_of_the_same_key(world: World) -> None:
    real = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0, key="same-key"))
    world.live(1)
    began = world.starts()
    rehearsed = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=3000.0, key="same-key", dry_run=True))
    world.live(1)

    assert [one.forecast is not None for one in rehearsed.outcomes] == [True] * 5
    assert [view.succeeded for view in rehearsed.views] == [0, 5]
    assert world.starts() == began
    assert world.simulation.house.bulks.counts() == (1, 5)
    world.live(200)
    assert [view.stopped for view in real.views] == [None, None]
    assert len(world.starts()) == 5


def test_starts_are_as_far_apart_as_was_wished(world: World) -> None:
    client = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0))

    world.live(1000)

    assert world.starts() == [("n0", 0), ("n1", 30), ("n2", 60), ("n3", 90), ("n4", 120)]
    assert (client.views[0].total, client.views[0].nodes) == (5, ["n0", "n1", "n2", "n3", "n4"])
    assert (client.views[-1].succeeded, client.told[-1]) == (5, "final")
    assert world.simulation.house.bulks.counts() == (0, 0)


def test_the_same_bulk_again_is_at_once_where_the_first_one_was(world: World) -> None:
    verb = BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0, key="a-key-of-mine")
    first = world.ask(verb)
    world.live(70)
    assert [name for name, _ in world.starts()] == ["n0", "n1", "n2"]

    again = world.ask(verb)
    world.live(1)

    assert len(world.starts()) == 3, "the next is new, and waits for its time"
    assert {one.node for one in again.outcomes} == {"n0", "n1", "n2"}
    world.live(1000)
    assert world.starts()[3:] == [("n3", 100), ("n4", 130)]
    ids = {one.node: one.request.id for one in first.outcomes if one.request is not None}
    assert ids.items() <= {one.node: one.request.id for one in again.outcomes if one.request is not None}.items()
    assert (first.views[-1].stopped, first.views[-1].not_sent) == ("its client has sent it again", 2)
    assert again.views[-1].succeeded == 5


def test_nobody_is_started_for_a_client_that_has_gone(world: World) -> None:
    client = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0))
    world.live(40)

    client.go()
    world.live(1000)

    assert [name for name, _ in world.starts()] == ["n0", "n1"]
    assert client.told[-1] != "final"
    assert world.simulation.house.bulks.counts() == (0, 0)


@pytest.mark.parametrize("by_id", [True, False])
def test_one_that_is_cancelled_tells_whom_it_did_not_ask(world: World, *, by_id: bool) -> None:
    client = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0, key="a-key-of-mine"))
    world.live(40)

    cancel = world.ask(BulkCancel(bulk=client.views[0].id if by_id else "a-key-of-mine"))
    world.live(1000)

    assert cancel.views[0].not_sent == 3
    assert {one.node: one.error["code"] for one in client.outcomes if one.error is not None} == dict.fromkeys(
        ("n2", "n3", "n4"), "bulk.stopped"
    )
    assert (client.views[-1].succeeded, client.views[-1].not_sent) == (2, 3)
    assert world.ask(BulkCancel(bulk=client.views[0].id)).told == ["BulkNotFound"]


def test_a_conductor_that_stops_starts_nobody_and_says_nothing_more(world: World) -> None:
    client = world.ask(BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0))
    world.live(1)

    world.simulation.house.bulks.close()
    world.live(1000)

    assert [name for name, _ in world.starts()] == ["n0"]
    assert "final" not in client.told, "the front door says that it stops"
    assert world.ask(BulkRun(nodes=["n0"], order=ON)).told == ["ConductorDraining"]


def test_a_client_that_takes_nothing_is_told_one_part_and_loses_its_bulk_in_the_end(world: World) -> None:
    client = Client()
    client.is_reading = False
    verb = BulkRun(nodes=["n[0-4]"], order=ON, stagger_s=30.0)
    world.simulation.house.reception.handle(verb, PeerInfo("test", ""), client)

    world.live(1000)

    assert len(client.slips) == 1
    assert len(world.starts()) < 5
    assert world.simulation.house.bulks.counts() == (0, 0)


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (BulkRun(nodes=["n[0-9],m1"], order=ON), "node.not_found"),
        (BulkRun(nodes=["n[0-"], order=ON), "argument.invalid"),
        (BulkRun(nodes=["n[0-4]"], order=ON, per="propertie"), "argument.invalid"),
        (BulkRun(nodes=["n[0-4]"], order=ON, at_most=4), "bulk.too_large"),
        (BulkRun(nodes=["n[0-4]"], order={**ON, "callback_url": "http://127.0.0.1/"}), "argument.invalid"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(world: World, verb: BulkRun, code: str) -> None:
    client = world.ask(verb)
    world.live(10)

    assert client.error is not None
    assert (client.error.code, world.starts()) == (code, [])
    assert world.simulation.house.bulks.counts() == (0, 0)
    if isinstance(client.error, NodeNotFound):
        assert client.error.details == {"node": "m1,n[5-9]", "count": 6}


def test_one_that_is_sent_again_and_again_is_bounded_too(world: World) -> None:
    limit = Settings().max_bulks
    verb = BulkRun(nodes=["n0"], order=ON, key="the-same-key")

    clients = [world.ask(verb) for _ in range(2 * limit + 1)]

    assert world.simulation.house.bulks.counts()[0] == 2 * limit
    assert [client.error.code for client in clients if client.error is not None] == ["conductor.overloaded"]
    world.live(100)
    assert world.simulation.house.bulks.counts() == (0, 0)


class Closing(Bulks):
    """Closed just after a bulk has taken its place."""

    def _reserve(self, bulk_id: str, key: str | None) -> ActorRef[Any] | None:
        found = super()._reserve(bulk_id, key)
        self.close()
        return found


def test_one_that_begins_while_the_conductor_stops_starts_nobody(world: World) -> None:
    house, client = world.simulation.house, Client()
    bulks = Closing(world.simulation.services, house.intake, house.bulks._archive)

    bulks.run(BulkRun(nodes=["n[0-4]"], order=ON), "test", client)
    world.live(100)

    assert (world.starts(), bulks.counts()) == ([], (0, 0))


class Mute(Heard):
    """Takes no part for as long as it likes."""

    def __init__(self) -> None:
        super().__init__("mute")
        self.parts: list[tuple[BulkPart, Slip]] = []

    def part(self, result: Any, seq: EventSeq) -> Slip:
        del seq
        self.parts.append((result, Slip()))
        return self.parts[-1][1]


def telling_of(count: int) -> tuple[Telling, Mute]:
    client = Mute()
    telling = Telling(client, "b")
    for number in range(count):
        node = Chosen(NodeUUID(f"u{number}"), NodeName(f"n{number}"), None)
        telling.ended(Outcome(node, CastironError("No.")))
    return telling, client


def test_of_ten_thousand_outcomes_one_part_is_out_until_it_has_left() -> None:
    telling, client = telling_of(10_000)

    for turn in range(100):
        telling.turn(turn * 1.0, EventSeq(0))

    assert [len(part.outcomes) for part, _ in client.parts] == [rules.MAX_OUTCOMES]
    assert telling.is_unread(rules.UNREAD_S)


def test_a_part_that_was_lost_is_told_again_in_its_order() -> None:
    telling, client = telling_of(3)
    telling.turn(0.0, EventSeq(0))

    client.parts[0][1].lose()
    telling.turn(1.0, EventSeq(0))
    telling.turn(2.0, EventSeq(0))

    first, again = (part for part, _ in client.parts)
    assert first == again
    assert [one.node for one in again.outcomes] == ["n0", "n1", "n2"]
