"""A client that follows events: each once and in order, whatever is lost on the way; what is lost for good is told."""

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

import castiron
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.stream import EventStream
from castiron.transport.events import EventView
from castiron.transport.session import Limits
from castiron.transport.vocabulary import EventType
from tests.protocol.conftest import House, Opener
from tests.support.deadline import until
from tests.support.memory_conductor import MemoryConductor

pytestmark = pytest.mark.usefixtures("manner")

QUICK = Limits(heartbeat_interval_s=0.1)
PATIENCE_S = 20.0


@pytest.fixture
def house(open_house: Opener) -> House:
    """One whose heartbeats tests can wait for."""
    return open_house(limits=QUICK)


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with castiron.connect(house.endpoint) as one:
        yield one


def happen(client: Client, *names: str) -> None:
    for name in names:
        client.nodes.create(name, driver="fake")


def following(client: Client, since: int | None = None, **wanted: object) -> EventStream:
    """A stream that does not wait for ever if there is less than the test thinks."""
    return client.events(since, timeout_s=PATIENCE_S, **wanted)  # type: ignore[arg-type]  # each is of its type


def numbers(events: Iterator[EventView], count: int) -> list[int]:
    return [event.seq for event in islice(events, count)]


def test_what_happens_after_the_call_is_yielded_though_nobody_reads_yet(client: Client) -> None:
    happen(client, "n1")

    events = following(client)
    happen(client, "n2", "n3")

    assert [event.node for event in islice(events, 2)] == ["n2", "n3"]


def test_from_a_number_on_the_old_ones_come_first_and_then_the_new_ones(client: Client) -> None:
    happen(client, "n1", "n2", "n3")

    events = following(client, 1)
    assert numbers(events, 2) == [2, 3]
    happen(client, "n4")

    assert numbers(events, 1) == [4]


def test_a_stream_that_does_not_follow_ends_with_what_was_there(client: Client) -> None:
    happen(client, "n1", "n2", "n3")

    assert [event.seq for event in client.events(follow=False)] == [1, 2, 3]
    assert [event.seq for event in client.events(2, follow=False)] == [3]
    assert list(client.events(3, follow=False)) == []


def test_a_long_past_is_read_page_by_page(client: Client, house: House) -> None:
    happen(client, "n1")
    (node,) = house.conductor.nodes.values()
    with house.conductor.lock:
        for _ in range(2500):
            house.conductor.events.happen(EventType.NODE_UPDATE_END, node)

    assert [event.seq for event in client.events(0, follow=False)] == list(range(1, 2502))
    assert numbers(following(client, 0), 2501) == list(range(1, 2502))


def test_nodes_and_types_are_picked_from_the_past_and_from_what_comes(client: Client) -> None:
    happen(client, "n1", "n2")
    client.nodes.power("n1", "power on").wait(5)
    events = following(client, 0, nodes=["n1"], types=["node.power_set.*", "node.delete.end"])

    old = list(islice(events, 2))
    client.nodes.power("n2", "power on").wait(5)
    client.nodes.set("n1", extra={"a": 1})
    client.nodes.delete("n1")
    new = next(events)

    assert [(event.node, event.type) for event in (*old, new)] == [
        ("n1", "node.power_set.start"),
        ("n1", "node.power_set.end"),
        ("n1", "node.delete.end"),
    ]


def test_a_node_is_followed_under_its_new_name(client: Client) -> None:
    happen(client, "n1", "n2")
    events = following(client, nodes=["n1"])

    client.nodes.set("n1", name="n9")
    client.nodes.set("n2", extra={"a": 1})
    client.nodes.delete("n9")

    assert [(event.node, event.type) for event in islice(events, 2)] == [
        ("n9", "node.update.end"),
        ("n9", "node.delete.end"),
    ]


def test_a_node_that_is_unknown_is_refused_at_once(client: Client) -> None:
    with pytest.raises(castiron.NodeNotFound):
        client.events(nodes=["nobody"])


def test_an_event_that_is_lost_on_the_way_is_read_from_the_store_as_soon_as_the_next_has_come(
    open_house: Opener,
) -> None:
    slow = open_house(limits=Limits(heartbeat_interval_s=3600.0))
    slow.conductor.events.unheard = {2, 3}
    with castiron.connect(slow.endpoint) as client:
        events = following(client, 0)

        happen(client, "n1", "n2", "n3", "n4")

        assert numbers(events, 4) == [1, 2, 3, 4]


def test_the_last_event_before_a_silence_is_found_by_the_heartbeat(client: Client, house: House) -> None:
    events = following(client, 0)
    happen(client, "n1")
    assert numbers(events, 1) == [1]

    house.conductor.events.publisher._seq = 2  # as if the second had been sent, and dropped
    house.conductor.events.unheard = {2}
    happen(client, "n2")

    assert numbers(events, 1) == [2]


def test_what_is_not_kept_any_more_is_told_and_the_stream_goes_on_behind_it(client: Client, house: House) -> None:
    happen(client, "n1", "n2", "n3", "n4")
    house.conductor.events.forget(2)
    events = following(client, 0)

    with pytest.raises(castiron.EventsLost, match="Events 1 to 2 are lost") as caught:
        next(events)

    assert (caught.value.first, caught.value.last) == (1, 2)
    assert events.seq == 2
    assert numbers(events, 2) == [3, 4]
    happen(client, "n5")
    assert numbers(events, 1) == [5]


def test_a_store_that_is_pruned_under_a_follower_is_told(client: Client, house: House) -> None:
    events = following(client)
    house.conductor.events.unheard = {1, 2, 3}
    happen(client, "n1", "n2", "n3")
    house.conductor.events.forget(2)
    happen(client, "n4")

    with pytest.raises(castiron.EventsLost) as caught:
        next(events)

    assert (caught.value.first, caught.value.last) == (1, 2)
    assert numbers(events, 2) == [3, 4]


def test_a_door_that_is_closed_and_opened_again_is_outlived_and_told(open_house: Opener) -> None:
    first = open_house(limits=QUICK)
    told: list[str] = []
    with castiron.connect(first.endpoint) as client:
        events = following(client, 0, told=told.append)
        happen(client, "n1")
        assert numbers(events, 1) == [1]
        first.close()
        first.conductor.boot()
        again = open_house(limits=QUICK, conductor=first.conductor)
        with castiron.connect(again.endpoint) as other:
            happen(other, "n2")

        assert numbers(events, 1) == [2]
        assert len(told) == 2
        assert "Waiting for the conductor" in told[0]
        assert told[1] == "The conductor is back; events go on after number 1."


def test_another_conductor_at_the_same_place_is_told(open_house: Opener) -> None:
    first = open_house(limits=QUICK)
    with castiron.connect(first.endpoint) as client:
        happen(client, "n1", "n2")
        events = following(client, 0)
        assert numbers(events, 2) == [1, 2]
        first.close()
        second = open_house(limits=QUICK)
        with castiron.connect(second.endpoint) as other:
            happen(other, "n1")

        with pytest.raises(castiron.EventsLost, match="Another conductor") as caught:
            next(events)

        assert (caught.value.first, caught.value.last, caught.value.details["next_since"]) == (3, None, 1)


def test_another_conductor_behind_a_connection_that_never_broke_is_told(client: Client, house: House) -> None:
    happen(client, "n1", "n2")
    events = following(client, 0)
    assert numbers(events, 2) == [1, 2]

    house.conductor.events.publisher._conductor = "another"  # as behind a proxy that keeps connections

    with pytest.raises(castiron.EventsLost, match="Another conductor"):
        next(events)


def test_an_older_copy_of_the_store_behind_a_restart_is_told(open_house: Opener) -> None:
    first = open_house(limits=QUICK)
    with castiron.connect(first.endpoint) as client:
        happen(client, "n1", "n2", "n3")
        events = following(client, 0)
        assert numbers(events, 3) == [1, 2, 3]
        first.close()
        restored = MemoryConductor(limits=QUICK)
        restored.conductor = first.conductor.conductor
        restored.boot()
        again = open_house(limits=QUICK, conductor=restored)
        with castiron.connect(again.endpoint) as other:
            happen(other, "n1")

        with pytest.raises(castiron.EventsLost, match="older copy") as caught:
            next(events)
        with castiron.connect(again.endpoint) as other:
            happen(other, "n9")

        assert (caught.value.first, caught.value.last, caught.value.details["next_since"]) == (4, None, 1)
        assert [(event.seq, event.node) for event in islice(events, 1)] == [(2, "n9")]


def test_a_publisher_that_lags_behind_what_was_read_is_no_older_copy(open_house: Opener) -> None:
    first = open_house(limits=QUICK)
    with castiron.connect(first.endpoint) as client:
        happen(client, "n1", "n2", "n3")
        events = following(client, 0)
        assert numbers(events, 3) == [1, 2, 3]
        first.close()
        first.conductor.boot()
        first.conductor.events.publisher._seq = 1  # as if the others were still to be sent
        again = open_house(limits=QUICK, conductor=first.conductor)
        with castiron.connect(again.endpoint) as other:
            happen(other, "n4")

        assert numbers(events, 1) == [4]


def test_numbers_that_have_gone_back_are_told(client: Client, house: House) -> None:
    happen(client, "n1", "n2", "n3")

    with pytest.raises(castiron.EventsLost, match="knows no event 7, the latest is number 3") as caught:
        next(client.events(7, follow=False))

    assert caught.value.details == {"first": 8, "last": None, "next_since": 3}


def test_a_conductor_that_publishes_nothing_says_so(house: House, client: Client) -> None:
    house.conductor.events_endpoint = None

    with pytest.raises(castiron.VersionUnsupported, match="publishes no events"):
        client.events()


def test_a_place_where_nothing_is_published_is_told_in_time(house: House, tmp_path: object) -> None:
    house.conductor.events_endpoint = f"ipc://{tmp_path}/nothing"

    with (
        castiron.connect(house.endpoint, timeout_s=0.3) as client,
        pytest.raises(castiron.ConductorLost, match="nothing comes from") as caught,
    ):
        client.events()

    assert caught.value.details == {"endpoint": f"ipc://{tmp_path}/nothing"}


def test_a_stream_ends_when_its_time_is_up(client: Client) -> None:
    events = client.events(timeout_s=0.2)

    assert list(events) == []
    assert list(events) == []


def test_closing_the_client_ends_its_streams(house: House) -> None:
    client = castiron.connect(house.endpoint)
    events = client.events()

    client.close()

    assert list(events) == []


def test_a_stream_is_a_context_manager_and_leaves_no_socket(client: Client) -> None:
    with client.events() as events:
        happen(client, "n1")
        assert numbers(events, 1) == [1]

    assert list(events) == []
    assert client.ping()


def test_other_calls_may_be_made_between_two_events(client: Client) -> None:
    events = following(client)
    happen(client, "n1", "n2")

    assert [client.nodes.show(str(event.node_uuid)).name for event in islice(events, 2)] == ["n1", "n2"]


def test_a_silent_publisher_is_left_and_found_again(house: House, client: Client) -> None:
    told: list[str] = []
    events = following(client, told=told.append)
    publisher = house.conductor.events.publisher
    publisher._heartbeat_interval_s = 3600.0
    waiting = threading.Thread(target=lambda: next(events))
    waiting.start()
    until(lambda: len(told) >= 2)
    with castiron.connect(house.endpoint) as other:
        happen(other, "n1")
    waiting.join(PATIENCE_S)

    assert not waiting.is_alive()
    assert "silent" in told[0]
