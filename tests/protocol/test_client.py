"""The blocking client, against a real front door."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import castiron
from castiron.transport import errors, verbs
from castiron.transport.clients.blocking.bulk import Bulk
from castiron.transport.clients.blocking.client import Client, connect
from castiron.transport.replies import NodeDeleted, NodeView
from castiron.transport.session import Limits
from castiron.transport.verbs import MAX_LIST, NodeCreate, NodeDelete, NodeShow, Ping
from castiron.transport.vocabulary import PowerState, PowerTarget, RequestState
from tests.protocol.conftest import House, Opener

pytestmark = pytest.mark.usefixtures("manner")


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with castiron.connect(house.endpoint) as one:
        yield one


def test_hello_ping_and_status(house: House, client: Client) -> None:
    assert client.hello().boot_id == client.ping().boot_id == house.conductor.boot_id
    assert client.status().nodes == {"total": 0}


def test_the_life_of_a_node(client: Client) -> None:
    made = client.nodes.create("n1", driver="fake", driver_info={"ipmi_port": 623}, extra={"rack": {"row": [1, 2]}})
    assert client.nodes.show("n1") == client.nodes.show(made.uuid) == made

    changed = client.nodes.set(
        "n1", revision=1, name="n2", extra={"rack": None, "owner": "me"}, driver_info={"a": True}
    )
    assert (changed.name, changed.revision) == ("n2", 2)
    assert (changed.extra, changed.driver_info) == ({"owner": "me"}, {"ipmi_port": 623, "a": True})

    with pytest.raises(castiron.RevisionStale):
        client.nodes.delete("n2", revision=1)
    assert client.nodes.delete("n2", revision=2).uuid == made.uuid
    with pytest.raises(castiron.NodeNotFound) as caught:
        client.nodes.show("n2")
    assert caught.value.details == {"node": "n2"}


def test_what_is_not_named_in_set_stays(client: Client) -> None:
    client.nodes.create("n1", driver="fake", power_state_change_timeout_s=5, soft_power_off_timeout_s=6)

    changed = client.nodes.set("n1", power_state_change_timeout_s=None)

    assert (changed.power_state_change_timeout_s, changed.soft_power_off_timeout_s) == (None, 6)


def test_a_power_request_is_accepted_and_waited_for(client: Client) -> None:
    client.nodes.create("n1", driver="fake")

    request = client.nodes.power("n1", "power on")

    assert request.state == RequestState.ACCEPTED
    assert request.wait(timeout_s=5).state == "succeeded"
    assert request.result == {"power_state": "power on"}
    assert request.error is None
    request.raise_for_error()
    assert client.nodes.show("n1").power_state == PowerState.ON
    assert client.requests.show(request.id).view == request.view
    assert request.id in repr(request)


def test_boot_devices(client: Client) -> None:
    client.nodes.create("n1", driver="fake")

    client.nodes.set_boot_device("n1", "pxe", persistent=True).wait(5)

    assert client.nodes.boot_device("n1").wait(5).result == {"boot_device": "pxe"}


def test_a_request_that_failed_raises_what_it_failed_with_when_asked_to(house: House, client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    house.conductor.faults["n1"] = errors.BMCUnreachable("No answer.", details={"node": "n1"})

    request = client.nodes.power("n1", PowerTarget.ON).wait(5)

    assert request.state == "failed"
    assert isinstance(request.error, castiron.BMCUnreachable)
    with pytest.raises(castiron.BMCUnreachable, match="No answer"):
        request.raise_for_error()


def test_a_wait_that_is_too_short_says_so_and_can_be_repeated(house: House, client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    house.conductor.held.add("n1")
    request = client.nodes.power("n1", "power on")

    with pytest.raises(castiron.ReplyTimeout, match="goes on"):
        request.wait(timeout_s=0.05)
    house.conductor.let_go("n1")

    assert request.wait(timeout_s=5).is_final


def test_a_request_nobody_knows_is_not_waited_for(client: Client) -> None:
    with pytest.raises(castiron.RequestNotFound):
        client.requests.wait("00000000-0000-7000-8000-000000000000", timeout_s=5)


def test_requests_are_listed_the_latest_first_through_pages(house: House, client: Client) -> None:
    for name in ("n1", "n2"):
        client.nodes.create(name, driver="fake")
    made = [client.nodes.boot_device(name).wait(5).id for name in ("n1", "n2") * 3]

    assert [request.id for request in client.requests.list()] == made[::-1]
    assert [request.id for request in client.requests.list(node="n2", limit=2)] == [made[5], made[3]]
    assert client.requests.list(states=["running"]) == []
    assert len(client.requests.list(states=[RequestState.SUCCEEDED], limit=1)) == 1


def test_all_nodes_are_listed_through_pages(house: House, client: Client) -> None:
    names = [f"n{number:04}" for number in range(MAX_LIST + 5)]
    results = list(client.send_many(NodeCreate(name=name, driver="fake") for name in names))
    assert all(isinstance(result, NodeView) for _, result in results)

    assert [node.name for node in client.nodes.list()] == names
    assert [node.name for node in client.nodes.list(names)] == names
    assert [node.name for node in client.nodes.list(["n0002"])] == ["n0002"]
    assert client.nodes.list([]) == []


def test_a_list_of_long_names_is_cut_into_messages(client: Client) -> None:
    names = [f"{number:03}-{'x' * 240}" for number in range(400)]
    for _, result in client.send_many(NodeCreate(name=name, driver="fake") for name in names):
        assert isinstance(result, NodeView)

    assert [node.name for node in client.nodes.list(names)] == names


def test_many_verbs_come_back_each_with_its_own_outcome(client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    asked = [NodeDelete(node="n1"), *(NodeShow(node=f"x{number}") for number in range(300)), Ping()]

    got = dict(client.send_many(asked))

    assert set(got) == set(asked)
    assert isinstance(got[NodeDelete(node="n1")], NodeDeleted)
    refused = got[NodeShow(node="x7")]
    assert isinstance(refused, castiron.NodeNotFound)
    assert refused.details == {"node": "x7"}


def test_a_verb_that_cannot_be_sent_is_one_of_the_outcomes(client: Client) -> None:
    wrong, right = NodeShow(node=""), Ping()

    got = dict(client.send_many([wrong, right]))

    assert isinstance(got[wrong], castiron.ArgumentInvalid)
    assert not isinstance(got[right], castiron.CastironError)


def test_the_window_keeps_below_the_limit_for_a_peer(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=4))
    with castiron.connect(house.endpoint) as client:
        outcomes = [outcome for _, outcome in client.send_many((Ping() for _ in range(100)), window=64)]

    assert not [one for one in outcomes if isinstance(one, castiron.CastironError)]
    assert house.door.counters()["refused"] == 0


def test_questions_may_be_asked_between_the_answers_of_many(client: Client) -> None:
    seen = 0
    for _ in client.send_many(Ping() for _ in range(50)):
        seen += 1
        assert client.ping()

    assert seen == 50


def test_an_abandoned_iteration_leaves_no_trace(client: Client) -> None:
    for _ in range(5):
        next(client.send_many(Ping() for _ in range(50)))

    assert client.ping()
    assert len(list(client.send_many(Ping() for _ in range(200)))) == 200


@pytest.mark.parametrize(
    ("target", "path"), [("on", "$.target"), ("", "$.target"), (None, "$.target")], ids=["short", "empty", "nil"]
)
def test_a_wrong_word_is_refused_before_it_is_sent(house: House, client: Client, target: str, path: str) -> None:
    with pytest.raises(castiron.ArgumentInvalid, match="power on") as caught:
        client.nodes.power("n1", target)

    assert caught.value.details == {"path": path}
    assert house.door.counters()["refused"] == 0


def test_a_value_that_json_could_not_hold_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(castiron.ArgumentInvalid):
        client.nodes.create("n1", extra={"a": object()})
    with pytest.raises(castiron.ArgumentInvalid):
        client.nodes.create("n1", extra={"a": float("nan")})
    with pytest.raises(castiron.FrameTooLarge):
        client.nodes.create("n1", extra={"a": "x" * 70_000})


def test_threads_take_turns(house: House, client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    names: set[str] = set()

    def ask() -> None:
        names.update(client.nodes.show("n1").name for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert names == {"n1"}
    assert house.door.counters()["answered"] >= 200


def test_clients_leave_no_threads_and_no_descriptors(house: House) -> None:
    def holdings() -> tuple[int, int]:
        return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))

    with castiron.connect(house.endpoint) as first:
        first.ping()
    before = holdings()
    for _ in range(10):
        with castiron.connect(house.endpoint) as one, castiron.connect(house.endpoint) as other:
            one.ping()
            other.ping()
            one.close()
    deadline = time.monotonic() + 5
    while holdings() > before and time.monotonic() < deadline:
        with castiron.connect(house.endpoint) as one:  # the front door notices that the others have gone
            one.ping()

    assert holdings() <= before


def test_the_face_offers_the_client_and_the_errors() -> None:
    assert castiron.connect is connect
    assert set(errors.WIRE_ERRORS.values()) <= {getattr(castiron, name) for name in castiron.__all__}


def test_every_verb_has_its_method(client: Client) -> None:
    methods = {
        "hello": client.hello,
        "ping": client.ping,
        "status": client.status,
        "conductor.drain": client.drain,
        "periodic.list": client.periodics.list,
        "periodic.stop": client.periodics.stop,
        "periodic.start": client.periodics.start,
        "allocation.create": client.allocations.create,
        "allocation.list": client.allocations.list,
        "allocation.show": client.allocations.show,
        "allocation.wait": client.allocations.wait,
        "allocation.set": client.allocations.set,
        "allocation.delete": client.allocations.delete,
        "node.create": client.nodes.create,
        "node.list": client.nodes.list,
        "node.show": client.nodes.show,
        "node.set": client.nodes.set,
        "node.delete": client.nodes.delete,
        "node.maintenance.set": client.nodes.set_maintenance,
        "node.maintenance.unset": client.nodes.unset_maintenance,
        "node.lock.set": client.guards.lock,
        "node.lock.unset": client.guards.unlock,
        "node.power.set": client.nodes.power,
        "node.boot_device.set": client.nodes.set_boot_device,
        "node.boot_device.get": client.nodes.boot_device,
        "node.provision.set": client.provision.set,
        "node.provision.abort": client.provision.abort,
        "node.provision.hold": client.provision.hold,
        "node.provision.unhold": client.provision.unhold,
        "node.step.done": client.provision.step_done,
        "node.step.progress": client.provision.step_progress,
        "node.step.list": client.provision.steps,
        "bulk.run": client.nodes.bulk,
        "bulk.cancel": Bulk.cancel,
        "request.show": client.requests.show,
        "request.wait": client.requests.wait,
        "event.list": client.events,
        "node.history": client.nodes.history,
        "node.sensor.list": client.sensors.list,
        "request.list": client.requests.list,
        "request.trace": client.requests.trace,
        "node.explain": client.nodes.explain,
        "node.record": client.nodes.record,
        "runbook.create": client.runbooks.create,
        "runbook.list": client.runbooks.list,
        "runbook.show": client.runbooks.show,
        "runbook.set": client.runbooks.set,
        "runbook.delete": client.runbooks.delete,
        "request.cancel": client.requests.cancel,
        "request.abort": client.requests.abort,
    }

    assert set(methods) == set(verbs.VERBS)
    assert all(method.__doc__ for method in methods.values())
