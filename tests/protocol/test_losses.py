"""Conductors that are not there, fall silent, die, and come back: what the client says, and that it says it in time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import castiron
from castiron.transport.clients.blocking.client import Client
from castiron.transport.session import Limits
from castiron.transport.verbs import NodeDelete, NodePowerSet
from castiron.transport.vocabulary import Applied, PowerTarget, ReplyWish
from tests.protocol.conftest import House, Opener
from tests.protocol.test_peers import until
from tests.support.raw_peer import RawDoor, RawPeer

pytestmark = pytest.mark.usefixtures("manner")

ROOT = Path(__file__).parents[2]
WELCOME: dict[str, Any] = {
    "result": {
        "conductor": "c",
        "boot_id": "first",
        "version": "0",
        "speaks": ["castiron/1"],
        "heartbeat_interval_s": 0.1,
        "liveness": 3,
        "limits": {},
    },
    "seq": 0,
}


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/door"


@pytest.fixture
def process(endpoint: str) -> Iterator["subprocess.Popen[str]"]:
    """A conductor in a process of its own, with the node n1 whose machine never answers."""
    command = [sys.executable, "-m", "tests.support.memory_conductor", endpoint]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        yield one
        one.kill()


def test_where_nobody_listens_the_client_names_the_place_the_cause_and_the_cure(endpoint: str) -> None:
    with castiron.connect(endpoint, timeout_s=0.2) as client, pytest.raises(castiron.ConductorLost) as caught:
        client.nodes.power("n1", "power on")

    assert caught.value.applied == Applied.NO
    assert caught.value.details == {"endpoint": endpoint}
    for word in (endpoint, "Nothing listens there", "castiron serve", "--endpoint", "CASTIRON_ENDPOINT"):
        assert word in caught.value.message


def test_a_conductor_that_starts_late_is_found(endpoint: str, open_house: Opener) -> None:
    with castiron.connect(endpoint, timeout_s=5) as client:
        timer = threading.Timer(0.2, open_house, [endpoint])
        timer.start()
        assert client.ping()
        timer.join()


def test_something_that_accepts_and_says_nothing_is_told_from_nothing(endpoint: str) -> None:
    with (
        RawDoor(endpoint),
        castiron.connect(endpoint, timeout_s=0.3) as client,
        pytest.raises(castiron.ConductorLost, match="does not answer") as caught,
    ):
        client.nodes.delete("n1")

    assert caught.value.applied == Applied.NO  # hello was not answered, so the verb was not sent


def test_a_verb_that_is_not_answered_by_a_conductor_that_is_there_is_a_timeout(house: House) -> None:
    with castiron.connect(house.endpoint, timeout_s=0.3) as client:
        client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        outcome = dict(client.send_many([verb_that_waits := power_and_wait()]))[verb_that_waits]

    assert isinstance(outcome, castiron.ReplyTimeout)
    assert outcome.applied == Applied.UNKNOWN


def power_and_wait() -> NodePowerSet:
    return NodePowerSet(node="n1", target=PowerTarget.ON, replies=ReplyWish.FINAL)


def test_a_conductor_that_falls_silent_is_given_up_after_its_liveness(endpoint: str) -> None:
    with RawDoor(endpoint) as door, castiron.connect(endpoint, timeout_s=30) as client:
        silence = threading.Thread(target=door.serve, args=([WELCOME, None],))  # pings stay unread
        silence.start()
        began = time.monotonic()
        with pytest.raises(castiron.ConductorLost, match="silent") as caught:
            client.nodes.delete("n1")
        silence.join(5)

    assert 0.2 < time.monotonic() - began < 25
    assert caught.value.applied == Applied.UNKNOWN


def test_a_client_that_hears_much_still_tells_that_it_is_there(open_house: Opener) -> None:
    """A bulk's parts come all the time; the conductor counts what the client sends, and forgets who sends nothing."""
    house = open_house(limits=Limits(heartbeat_interval_s=0.2, liveness=3))
    with castiron.connect(house.endpoint, timeout_s=30) as client:
        names = [client.nodes.create(f"n{number}", driver="fake").name for number in range(1, 41)]
        order = NodePowerSet(node="-", target=PowerTarget.ON)
        with client.nodes.bulk(order, nodes=["n[1-40]"], stagger_s=0.05, timeout_s=30) as bulk:
            outcomes = [outcome.node for outcome in bulk]

    assert sorted(outcomes) == sorted(names)
    assert bulk.lost is None


def test_a_client_that_took_parts_too_slowly_asks_for_the_rest(open_house: Opener) -> None:
    house = open_house(limits=Limits(heartbeat_interval_s=0.05, liveness=2))
    with castiron.connect(house.endpoint, timeout_s=30) as client, RawPeer(house.endpoint) as witness:
        names = [client.nodes.create(f"n{number}", driver="fake").name for number in range(1, 5)]
        order = NodePowerSet(node="-", target=PowerTarget.ON)
        with client.nodes.bulk(order, nodes=["n[1-4]"], stagger_s=0.2, timeout_s=30) as bulk:
            coming = iter(bulk)
            outcomes = [next(coming).node]
            until(lambda: house.door.counters()["peers"] == 1, witness)
            outcomes += [outcome.node for outcome in coming]

    assert sorted(outcomes) == sorted(names)


def test_a_conductor_that_has_restarted_behind_the_connection_is_noticed_by_its_boot_id(endpoint: str) -> None:
    with RawDoor(endpoint) as door, castiron.connect(endpoint, timeout_s=30) as client:
        script: list[dict[str, Any] | None] = [WELCOME, None, {"result": {"boot_id": "second"}, "seq": 0}]
        proxy = threading.Thread(target=door.serve, args=(script,))
        proxy.start()
        with pytest.raises(castiron.ConductorLost, match="restarted") as caught:
            client.nodes.delete("n1")
        proxy.join(5)

    assert caught.value.applied == Applied.UNKNOWN


def test_an_answer_that_is_not_understood_is_an_error_of_its_own(endpoint: str) -> None:
    with RawDoor(endpoint) as door, castiron.connect(endpoint) as client:
        mad = threading.Thread(target=door.serve, args=([WELCOME, {"result": {"boot_id": 7}, "seq": 0}],))
        mad.start()
        with pytest.raises(castiron.FrameMalformed, match="not understood"):
            client.ping()
        mad.join(5)


def test_a_kill_in_the_middle_is_noticed_at_once(process: "subprocess.Popen[str]", endpoint: str) -> None:
    with castiron.connect(endpoint, timeout_s=30) as client:
        client.nodes.create("n1", driver="fake")
        killer = threading.Timer(0.2, os.kill, [process.pid, signal.SIGKILL])
        killer.start()
        began = time.monotonic()
        outcomes = list(client.send_many([power_and_wait()]))
        killer.join()

    ((_, lost),) = outcomes
    assert isinstance(lost, castiron.ConductorLost)
    assert lost.applied == Applied.UNKNOWN
    assert "broke" in lost.message
    assert time.monotonic() - began < 20, "the time-out was not waited for"


def test_a_stopped_process_is_not_waited_for_longer_than_was_allowed(
    process: "subprocess.Popen[str]", endpoint: str
) -> None:
    with castiron.connect(endpoint, timeout_s=0.3) as client:
        client.ping()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # until it has stopped
        began = time.monotonic()
        with pytest.raises(castiron.ConductorLost) as caught:
            client.nodes.delete("n1")
        process.send_signal(signal.SIGCONT)

    assert caught.value.applied == Applied.UNKNOWN
    assert time.monotonic() - began < 10


def test_many_verbs_end_when_the_conductor_does(process: "subprocess.Popen[str]", endpoint: str) -> None:
    with castiron.connect(endpoint, timeout_s=0.5) as client:
        answers = client.send_many((NodeDelete(node=f"n{number}") for number in range(100_000)), window=8)
        got = [next(answers) for _ in range(20)]
        process.kill()
        with pytest.raises(castiron.ConductorLost) as caught:
            got.extend(answers)

    assert caught.value.applied == Applied.NO
    lost = [outcome for _, outcome in got if isinstance(outcome, castiron.ConductorLost)]
    assert len(lost) <= 8
    assert {one.applied for one in lost} <= {Applied.UNKNOWN}


def succeed(house: House, open_house: Opener) -> House:
    """Stop a conductor, and start its successor on what it had stored."""
    house.close()
    successor = open_house(house.endpoint)
    successor.conductor.nodes.update(house.conductor.nodes)
    successor.conductor.requests.update(house.conductor.requests)
    return successor


@pytest.fixture
def waiting(open_house: Opener) -> Iterator[tuple[House, Client, castiron.Request]]:
    house = open_house()
    with castiron.connect(house.endpoint) as client:
        client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        yield house, client, client.nodes.power("n1", "power on")


def test_a_wait_goes_on_through_a_restart(waiting: tuple[House, Client, castiron.Request], open_house: Opener) -> None:
    house, client, request = waiting
    states: list[str] = []
    waiter = threading.Thread(target=lambda: states.append(request.wait(timeout_s=10).state))
    waiter.start()
    while house.door.counters()["in_flight"] == 0:
        assert waiter.is_alive()

    successor = succeed(house, open_house)
    successor.conductor.let_go("n1")
    waiter.join(10)

    assert states == ["succeeded"]
    assert client.hello().boot_id == successor.conductor.boot_id


def test_a_wait_whose_conductor_does_not_come_back_says_so_in_time(
    waiting: tuple[House, Client, castiron.Request],
) -> None:
    house, _, request = waiting
    assert house.door.stop(5.0)
    began = time.monotonic()

    with pytest.raises(castiron.ConductorLost):
        request.wait(timeout_s=0.5)

    assert 0.4 < time.monotonic() - began < 10


def test_a_wait_that_meets_a_limit_asks_again(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight=1))
    with castiron.connect(house.endpoint) as client, RawPeer(house.endpoint) as other:
        client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = client.nodes.power("n1", "power on")
        other.say(b"1", {"verb": "request.wait", "request": request.id, "timeout_s": 60})
        assert other.ask({"verb": "ping"}, b"2").code == "conductor.overloaded"
        end = threading.Timer(0.2, house.conductor.let_go, ["n1"])
        end.start()

        assert request.wait(timeout_s=10).state == "succeeded"
        assert house.door.counters()["refused"] == 2
        end.join()


def test_a_closed_client_says_so(house: House) -> None:
    client = castiron.connect(house.endpoint)
    client.close()

    with pytest.raises(castiron.ConductorLost, match="closed") as caught:
        client.ping()

    assert caught.value.applied == Applied.NO
