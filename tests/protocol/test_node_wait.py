"""Waiting until conditions hold of nodes: by their events, whatever happens meanwhile."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest
from msgspec import structs

from castiron.transport import verbs
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.waiting import Standing
from castiron.transport.errors import ArgumentInvalid, NodeNotFound, ReplyTimeout
from castiron.transport.replies import MASK, NodeView
from castiron.transport.vocabulary import EventType, PowerState
from tests.protocol.conftest import House, Opener
from tests.support.deadline import until

pytestmark = pytest.mark.usefixtures("manner")

ON = ["power_state=power on"]


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with Client(house.endpoint) as one:
        for number in (1, 2, 3):
            one.nodes.create(f"n{number}", driver="fake")
        yield one


def change(house: House, name: str, *, told: bool = True, **fields: object) -> NodeView:
    """Change a node behind the door, and tell of it unless it is one of those things that nobody is told."""
    conductor = house.conductor
    with conductor.lock:
        before = next(node for node in conductor.nodes.values() if node.name == name)
        after = structs.replace(before, **fields, revision=before.revision + 1)
        conductor.nodes[after.uuid] = after
        if told:
            conductor.events.happen(EventType.POWER_STATE_CORRECTED, after)
    return after


class Waiter:
    """A wait on a thread of its own."""

    def __init__(self, wait: Callable[[Callable[[Standing], None]], list[NodeView]]) -> None:
        self.standings: list[Standing] = []
        self.outcome: list[NodeView] | Exception | None = None
        self._wait = wait
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.outcome = self._wait(self.standings.append)
        except Exception as error:  # noqa: BLE001 - the test judges it
            self.outcome = error

    @contextmanager
    def begun(self) -> Generator["Waiter"]:
        self._thread.start()
        until(lambda: bool(self.standings))
        yield self
        self._thread.join(20)
        assert not self._thread.is_alive()

    @property
    def names(self) -> list[str]:
        assert isinstance(self.outcome, list), self.outcome
        return [view.name for view in self.outcome]


def waiter(house: House, nodes: list[str] | None, wanted: list[str], *, any_: bool = False) -> Waiter:
    def wait(progress: Callable[[Standing], None]) -> list[NodeView]:
        with Client(house.endpoint) as one:
            return one.nodes.wait_for(nodes, wanted, timeout_s=20, any_=any_, progress=progress)

    return Waiter(wait)


def test_what_holds_already_is_not_waited_for(house: House, client: Client) -> None:
    found = client.nodes.wait_for(["n2", "n1"], ["power_state=power off"], timeout_s=5)

    assert [view.name for view in found] == ["n1", "n2"]


def test_all_nodes_are_waited_for_and_none_is_asked_for_that_nothing_is_told_of(house: House, client: Client) -> None:
    with waiter(house, ["n1", "n2"], ON).begun() as wait:
        change(house, "n1", power_state=PowerState.ON)
        until(lambda: len(wait.standings[-1].holding) == 1)
        asked = len([one for one in house.conductor.asked if isinstance(one, verbs.NodeShow)])
        change(house, "n3", power_state=PowerState.ON)
        change(house, "n2", power_state=PowerState.ON)

    assert wait.names == ["n1", "n2"]
    shown = [one.node for one in house.conductor.asked if isinstance(one, verbs.NodeShow)]
    assert asked == 1
    assert len(shown) == 2


def test_they_must_hold_at_the_same_time(house: House, client: Client) -> None:
    with waiter(house, None, ON).begun() as wait:
        for name in ("n1", "n2"):
            change(house, name, power_state=PowerState.ON)
        change(house, "n1", power_state=PowerState.OFF)
        change(house, "n3", power_state=PowerState.ON)
        until(lambda: [view.name for view in wait.standings[-1].others] == ["n1"])
        change(house, "n1", power_state=PowerState.ON)

    assert wait.names == ["n1", "n2", "n3"]


def test_one_is_enough_if_any_will_do(house: House, client: Client) -> None:
    with waiter(house, None, ON, any_=True).begun() as wait:
        change(house, "n2", power_state=PowerState.ON)

    assert wait.names == ["n2"]


def test_the_time_is_up(client: Client) -> None:
    with pytest.raises(ReplyTimeout) as late:
        client.nodes.wait_for(["n1", "n2"], ON, timeout_s=0.1)

    assert late.value.details == {"holding": 0, "total": 2}
    assert late.value.message.startswith("After 0.1 s it held of 0 of 2 nodes; not of n1, n2.")


def test_a_node_that_is_deleted_meanwhile_is_named(house: House, client: Client) -> None:
    with waiter(house, ["n1", "n2"], ON).begun() as wait:
        client.nodes.delete("n2")

    assert isinstance(wait.outcome, NodeNotFound)
    assert wait.outcome.message == "n2 was deleted while it was waited for."


def test_if_any_will_do_a_deletion_matters_only_when_none_is_left(house: House, client: Client) -> None:
    with waiter(house, ["n1", "n2"], ON, any_=True).begun() as wait:
        client.nodes.delete("n2")
        until(lambda: len(wait.standings[-1].others) == 1)
        client.nodes.delete("n1")

    assert isinstance(wait.outcome, NodeNotFound)


def test_an_unknown_node_is_not_waited_for(client: Client) -> None:
    with pytest.raises(NodeNotFound):
        client.nodes.wait_for(["nobody"], ON)


def test_a_change_that_no_event_tells_of_is_seen_all_the_same_where_such_a_field_is_asked_for(
    house: House, client: Client
) -> None:
    with waiter(house, ["n1"], ["power_state_at>1e11"]).begun() as wait:
        change(house, "n1", told=False, power_state_at=2e11)

    assert wait.names == ["n1"]


def test_an_event_that_is_heard_before_it_can_be_seen_is_not_forgotten(house: House, client: Client) -> None:
    conductor = house.conductor
    with waiter(house, ["n1"], ON).begun() as wait:
        with conductor.lock:
            conductor.lag = 1
            change(house, "n1", last_error="told, and not to be seen yet")
        until(lambda: any(isinstance(one, verbs.NodeShow) for one in conductor.asked))
        with conductor.lock:
            change(house, "n1", told=False, power_state=PowerState.ON)
            conductor.lag = 0

    assert wait.names == ["n1"]


def test_a_missed_event_is_made_up_for(house: House, client: Client) -> None:
    with waiter(house, ["n1"], ON).begun() as wait:
        events = house.conductor.events
        events.unheard.add(events.seq + 1)
        change(house, "n1", power_state=PowerState.ON)
        client.nodes.set_maintenance("n2", reason="brings the next number")

    assert wait.names == ["n1"]


def test_events_that_are_lost_make_it_look_at_all_nodes_again(house: House, client: Client) -> None:
    with waiter(house, ["n1"], ON).begun() as wait:
        events = house.conductor.events
        with house.conductor.lock:
            events.unheard.add(events.seq + 1)
            change(house, "n1", power_state=PowerState.ON)
            events.forget(events.seq)
            change(house, "n2", power_state=PowerState.ON)

    assert wait.names == ["n1"]


def test_it_goes_on_when_the_conductor_has_been_away(open_house: Opener) -> None:
    first = open_house()
    with Client(first.endpoint) as one:
        one.nodes.create("n1", driver="fake")
    with waiter(first, ["n1"], ON).begun() as wait:
        assert first.door.stop(5.0)
        first.conductor.boot()
        change(first, "n1", told=False, power_state=PowerState.ON)
        change(first, "n1", power_state=PowerState.ON)
        open_house(conductor=first.conductor)

    assert wait.names == ["n1"]


def test_it_goes_on_when_an_older_copy_of_the_store_was_put_in_place(open_house: Opener) -> None:
    first = open_house()
    with Client(first.endpoint) as one:
        one.nodes.create("n1", driver="fake")
    with waiter(first, ["n1"], ON).begun() as wait:
        conductor = first.conductor
        for number in range(5):
            change(first, "n1", last_error=f"event {number}")
        until(lambda: any(view.last_error == "event 4" for view in wait.standings[-1].others))
        with conductor.lock:
            conductor.lag = 1000  # the last event was heard, and can never be seen: its number is given anew
            change(first, "n1", last_error="event 5")
        until(lambda: wait.standings[-1].others[0].last_error == "event 5")
        assert first.door.stop(5.0)
        conductor.lag = conductor.events.seq = 0
        conductor.events.kept.clear()
        conductor.boot()
        change(first, "n1", told=False, power_state=PowerState.ON)
        open_house(conductor=conductor)

    assert wait.names == ["n1"]


def test_a_secret_is_not_waited_for(house: House, client: Client) -> None:
    change(house, "n1", driver_info={"ipmi_password": MASK})

    with pytest.raises(ArgumentInvalid, match="is a secret"):
        client.nodes.wait_for(["n1"], ["driver_info.ipmi_password=x"], timeout_s=5)


def test_a_condition_that_can_never_hold_is_refused_before_anything_is_asked(client: Client) -> None:
    with pytest.raises(ArgumentInvalid, match="it is never 'on'"):
        client.nodes.wait_for(["n1"], ["power_state=on"])
