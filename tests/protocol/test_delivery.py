"""Requests get there once: replies that are lost, restarts, limits, and what is said when the time is up."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import castiron
from castiron.transport.clients.blocking.client import Client
from castiron.transport.session import Limits
from castiron.transport.verbs import AnyNodeRequest, NodeBootDeviceGet, NodePowerSet, NodeRequest, Ping, Verb
from castiron.transport.vocabulary import Applied, PowerTarget, ReplyWish
from tests.protocol.conftest import House, Opener
from tests.support.deadline import until
from tests.support.lossy_door import LossyDoor
from tests.support.memory_conductor import MemoryConductor
from tests.support.raw_peer import Heard

pytestmark = pytest.mark.usefixtures("manner")

ANSWER_S = 0.4


def is_request(heard: Heard) -> bool:
    """Return whether a reply is that to a request."""
    return "verb" in heard.body.get("result", {})


def first(count: int, of: Callable[[Heard], bool] = is_request) -> Callable[[Heard], bool]:
    """Choose the first replies of those that are chosen."""
    places = itertools.count()
    return lambda heard: of(heard) and next(places) < count


def asked(conductor: MemoryConductor) -> list[AnyNodeRequest]:
    """Return the requests that have reached a conductor, in their order."""
    return [verb for verb in conductor.asked if isinstance(verb, NodeRequest)]


@pytest.fixture
def house(open_house: Opener) -> House:
    house = open_house()
    with castiron.connect(house.endpoint) as client:
        for number in range(1, 21):
            client.nodes.create(f"n{number}", driver="fake")
    return house


def lossy(house: House, folder: Path, loses: Callable[[Heard], bool]) -> LossyDoor:
    return LossyDoor(f"ipc://{folder}/lossy", house.endpoint, loses)


@pytest.mark.parametrize("lost_count", [1, 2])
def test_a_cancellation_whose_reply_is_lost_is_sent_again_and_tells_how_it_ended(
    house: House, tmp_path: Path, lost_count: int
) -> None:
    def is_end(heard: Heard) -> bool:
        return heard.body.get("result", {}).get("state") == "cancelled" or "error" in heard.body

    house.conductor.held.add("n1")
    with (
        lossy(house, tmp_path, first(lost_count, is_end)) as door,
        Client(f"ipc://{tmp_path}/lossy", timeout_s=ANSWER_S, patience_s=30) as client,
    ):
        client.nodes.set_maintenance("n1")
        request = client.nodes.power("n1", "power on", hold=True)
        cancelled = request.cancel()

    assert len(door.lost) == lost_count
    assert cancelled.state == "cancelled"


def test_a_cancellation_that_comes_too_late_says_so(house: House) -> None:
    with castiron.connect(house.endpoint, timeout_s=10) as client:
        request = client.nodes.power("n1", "power on").wait(10)

        with pytest.raises(castiron.RequestEnded):
            request.cancel()


@pytest.mark.parametrize("lost_count", [1, 2])
def test_a_request_whose_reply_is_lost_is_sent_again_with_its_key_and_carried_out_once(
    house: House, tmp_path: Path, lost_count: int
) -> None:
    with (
        lossy(house, tmp_path, first(lost_count)) as door,
        Client(f"ipc://{tmp_path}/lossy", timeout_s=ANSWER_S) as client,
    ):
        request = client.nodes.power("n1", "rebooting")
        assert request.wait(timeout_s=5).state == "succeeded"

    assert len(door.lost) == lost_count
    assert {one.result["id"] for one in door.lost} == {request.id} == set(house.conductor.requests)
    assert [verb.key for verb in asked(house.conductor)] == [request.view.key] * (lost_count + 1)


def test_each_request_has_a_key_of_its_own_and_whoever_gives_one_keeps_it(house: House) -> None:
    keys = (f"key-number-{number}" for number in itertools.count())
    with Client(house.endpoint, new_key=lambda: next(keys)) as client:
        client.nodes.power("n1", "power on").wait(5)
        client.nodes.set_boot_device("n1", "pxe").wait(5)
        mine = client.nodes.power("n1", "power off", key="a-key-of-mine").wait(5)
        same = client.nodes.power("n1", "power off", key="a-key-of-mine")
        with pytest.raises(castiron.RequestReused):
            client.nodes.power("n2", "power off", key="a-key-of-mine")

    assert same.id == mine.id
    assert [verb.key for verb in asked(house.conductor)] == ["key-number-0", "key-number-1", *["a-key-of-mine"] * 3]


def test_two_clients_never_make_the_same_key(house: House) -> None:
    for _ in range(2):
        with Client(house.endpoint) as client:
            for node in ("n1", "n2"):
                client.nodes.boot_device(node)

    keys = [verb.key for verb in asked(house.conductor)]
    assert None not in keys
    assert len(set(keys)) == 4


def test_a_request_goes_on_in_the_next_conductor(house: House, open_house: Opener) -> None:
    house.conductor.held.add("n1")
    house.conductor.mute = True
    requests: list[castiron.Request] = []
    with Client(house.endpoint, timeout_s=5) as client:
        asking = threading.Thread(target=lambda: requests.append(client.nodes.power("n1", "rebooting")))
        asking.start()
        until(lambda: len(asked(house.conductor)) == 1)
        house.close()
        successor = open_house(house.endpoint, conductor=after_restart(house.conductor))
        asking.join(10)

        (request,) = requests
        successor.conductor.let_go("n1")
        assert request.wait(timeout_s=5).state == "succeeded"

    assert list(successor.conductor.requests) == [request.id] == list(house.conductor.requests)


def after_restart(conductor: MemoryConductor) -> MemoryConductor:
    """Return a conductor on what another one had stored."""
    successor = MemoryConductor()
    successor.nodes.update(conductor.nodes)
    successor.requests.update(conductor.requests)
    successor.keys.update(conductor.keys)
    return successor


def test_a_full_mailbox_is_tried_again_when_the_conductor_said(house: House) -> None:
    house.conductor.full.add("n1")

    def empty() -> None:
        until(lambda: bool(asked(house.conductor)))
        house.conductor.full.clear()

    began = time.monotonic()
    with Client(house.endpoint) as client:
        emptying = threading.Thread(target=empty)
        emptying.start()
        request = client.nodes.power("n1", "power on")
        emptying.join()

    assert time.monotonic() - began >= 1.0  # what its refusals say
    assert [verb.key for verb in asked(house.conductor)] == [request.view.key] * 2


def test_a_door_that_lets_nobody_in_is_tried_again(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight=1))
    with castiron.connect(house.endpoint) as client, castiron.connect(house.endpoint) as other:
        client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = client.nodes.power("n1", "power on")
        waiting = threading.Thread(target=request.wait, args=(10.0,))
        waiting.start()  # the one place in flight is taken now
        until(lambda: house.door.counters()["in_flight"] == 1)
        answers: list[castiron.Request] = []
        asking = threading.Thread(target=lambda: answers.append(other.nodes.power("n1", "power on")))
        asking.start()
        until(lambda: house.door.counters()["refused"] >= 1)
        house.conductor.let_go("n1")
        waiting.join(10)
        asking.join(10)

    assert len(answers) == 1


def test_what_is_refused_for_good_is_sent_once(house: House) -> None:
    house.conductor.slow.add("n1")
    with Client(house.endpoint) as client:
        client.nodes.power("n1", "power on")
        with pytest.raises(castiron.NodeLocked):
            client.nodes.power("n1", "power off")
        with pytest.raises(castiron.RequestExpired):
            client.nodes.power("n2", "power on", deadline_at=1.0)

    assert len(asked(house.conductor)) == 3


@pytest.mark.parametrize("patience_s", [0.0, 0.5])
def test_where_the_conductor_says_a_time_beyond_the_patience_it_is_told_at_once(
    house: House, patience_s: float
) -> None:
    house.conductor.is_store_broken = True
    with Client(house.endpoint, patience_s=patience_s) as client, pytest.raises(castiron.StoreUnavailable) as caught:
        client.nodes.power("n1", "power on")

    assert (caught.value.retry_after_s, caught.value.applied) == (1.0, None)
    assert len(asked(house.conductor)) == 1


def test_a_trouble_that_lasts_is_told_when_the_patience_ends(house: House) -> None:
    house.conductor.is_store_broken = True
    with Client(house.endpoint, patience_s=1.5) as client, pytest.raises(castiron.StoreUnavailable):
        client.nodes.power("n1", "power on")

    assert len(asked(house.conductor)) == 2


def test_what_may_have_been_accepted_stays_unknown_though_the_last_attempt_was_not_sent(
    house: House, tmp_path: Path
) -> None:
    with Client(f"ipc://{tmp_path}/lossy", timeout_s=ANSWER_S, patience_s=2.0) as client:
        with lossy(house, tmp_path, is_request) as door:
            asking = Attempt(lambda: client.nodes.power("n1", "power on"))
            until(lambda: len(door.lost) >= 1)
        asking.thread.join(10)

    assert isinstance(asking.error, castiron.ConductorLost)
    assert asking.error.applied == Applied.UNKNOWN
    assert len(house.conductor.requests) == 1


class Attempt:
    """Something done in a thread, and how it failed."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.error: castiron.CastironError | None = None
        self._act = act
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except castiron.CastironError as error:
            self.error = error


def test_many_requests_get_there_once_each_whatever_is_lost_of_their_replies(house: House, tmp_path: Path) -> None:
    verbs: list[Verb] = [NodePowerSet(node=f"n{number}", target=PowerTarget.REBOOT) for number in range(1, 21)]
    verbs += [Ping(), NodeBootDeviceGet(node="nobody")]
    places = itertools.count()
    with (
        lossy(house, tmp_path, lambda heard: is_request(heard) and next(places) % 3 == 0) as door,
        Client(f"ipc://{tmp_path}/lossy", timeout_s=ANSWER_S) as client,
    ):
        outcomes = list(client.send_many(verbs, window=8))

    assert sorted(id(verb) for verb, _ in outcomes) == sorted(map(id, verbs))
    failed = [outcome for _, outcome in outcomes if isinstance(outcome, castiron.CastironError)]
    assert [type(error) for error in failed] == [castiron.NodeNotFound]
    assert len(door.lost) > 5
    assert len(house.conductor.requests) == 20
    assert Counter(request.node for request in house.conductor.requests.values()) == {f"n{n}": 1 for n in range(1, 21)}


def test_each_of_many_is_told_what_is_known_of_it_when_the_conductor_does_not_come_back(
    house: House, tmp_path: Path
) -> None:
    verbs = [NodePowerSet(node=f"n{number}", target=PowerTarget.ON) for number in range(1, 21)]
    outcomes: list[tuple[Verb, object]] = []
    with Client(f"ipc://{tmp_path}/lossy", timeout_s=ANSWER_S, patience_s=0.5) as client:
        answers = client.send_many(verbs, window=8)
        with lossy(house, tmp_path, is_request):
            asking = Attempt(lambda: outcomes.extend(answers))
            until(lambda: len(asked(house.conductor)) == 8)
        asking.thread.join(10)

    assert isinstance(asking.error, castiron.ConductorLost)  # for those that were never sent
    assert asking.error.applied == Applied.NO
    assert sorted(id(verb) for verb, _ in outcomes) == sorted(map(id, verbs[:8]))
    assert {getattr(outcome, "applied", None) for _, outcome in outcomes} == {Applied.UNKNOWN}


def test_a_wait_for_the_end_is_not_taken_for_a_reply_that_was_lost(house: House) -> None:
    house.conductor.held.add("n1")
    verb = NodePowerSet(node="n1", target=PowerTarget.ON, replies=ReplyWish.FINAL)
    with Client(house.endpoint, timeout_s=ANSWER_S) as client:
        ((_, outcome),) = client.send_many([verb])

    assert isinstance(outcome, castiron.ReplyTimeout)
    assert len(asked(house.conductor)) == 1
