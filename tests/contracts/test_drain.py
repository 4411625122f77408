"""A conductor that drains finishes what it has accepted, answers whoever looks, and accepts nothing new."""

import threading
from collections.abc import Generator

import pytest
from msgspec import convert

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, ConductorDraining
from castiron.transport.verbs import VERBS, BulkRun, NodeCreate, NodePowerSet, NodeProvisionSet, RunbookDelete, Verb
from castiron.transport.vocabulary import Policy, PowerTarget, ProvisionTarget
from tests.support.deadline import until

SLOW = {"fake_latency_s": "0.4"}
QUIET = Settings(sync_power_state_interval_s=0.0)


@pytest.fixture
def conductor() -> Generator[Conductor]:
    with running_conductor(settings=QUIET) as running:
        yield running


@pytest.fixture
def client(conductor: Conductor) -> Generator[Client]:
    with Client(conductor.endpoint, patience_s=0) as connected:
        yield connected


NEW_WORK: tuple[Verb, ...] = (
    NodeCreate(name="n9", driver="fake"),
    NodePowerSet(node="n1", target=PowerTarget.ON),
    NodeProvisionSet(node="n1", target=ProvisionTarget.MANAGE),
    BulkRun(nodes=["n1"], order={"verb": "node.power.set", "target": "power on"}),
    RunbookDelete(runbook="CUSTOM_ONE"),
)


def test_what_was_accepted_is_finished_and_new_work_is_refused_with_when_to_come_back(client: Client) -> None:
    client.nodes.create("n1", driver="fake", driver_info=SLOW)
    running = client.nodes.power("n1", "power on")
    queued = client.nodes.power("n1", "power off", policy=Policy.AFTER, key="once-more")

    view = client.drain()

    assert (view.is_draining, view.open_requests) == (True, 2)
    for verb in NEW_WORK:
        ((_, refusal),) = client.send_many([verb])
        assert isinstance(refusal, ConductorDraining), verb
        assert (refusal.code, str(refusal.applied)) == ("conductor.draining", "no")
        assert refusal.retry_after_s is not None
        assert refusal.retry_after_s > 0
    same = client.nodes.power("n1", "power off", policy=Policy.AFTER, key="once-more")
    assert same.id == queued.id, "its key is known: it was accepted"
    assert client.nodes.show("n1").name == "n1"
    assert [running.wait(timeout_s=10).state, queued.wait(timeout_s=10).state] == ["succeeded"] * 2
    assert [node.name for node in client.nodes.list()] == ["n1"]
    until(lambda: (drain := client.status().drain) is not None and drain.open_requests + drain.running == 0)


def test_it_says_since_when_and_for_whom_and_is_idempotent_and_undone(client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    before = client.status().drain
    first = client.drain()
    second = client.drain()

    assert before is not None
    assert (before.is_draining, before.since, before.requester) == (False, None, None)
    assert (second.since, second.requester) == (first.since, first.requester)
    assert first.requester is not None
    assert first.requester.startswith("ipc:uid=")
    assert client.status().drain == second
    assert client.drain(undo=True).is_draining is False
    assert client.drain(undo=True).since is None
    assert client.nodes.power("n1", "power on").wait(timeout_s=10).state == "succeeded"


def test_what_waits_can_be_ended_while_it_drains(client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    client.nodes.set_maintenance("n1")
    held = client.nodes.power("n1", "power on", hold=True)
    other = client.nodes.power("n1", "power on", hold=True, key="my-own-key", policy=Policy.AFTER)
    client.drain()

    client.requests.cancel(held.id)
    client.nodes.unset_maintenance("n1")
    until(lambda: client.drain().open_requests == 0)

    assert client.requests.show(other.id).state in {"succeeded", "cancelled"}


def test_a_bulk_that_was_accepted_goes_on_to_its_last_node(conductor: Conductor, client: Client) -> None:
    names = [f"n{number}" for number in range(4)]
    for name in names:
        client.nodes.create(name, driver="fake", driver_info={"fake_latency_s": "0.1"})
    told: list[object] = []

    def run() -> None:
        with conductor.client() as other:
            told.extend(other.nodes.bulk({"verb": "node.power.set", "target": "power on"}, names, stagger_s=0.3))

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: (drain := client.status().drain) is not None and drain.bulks == 1)
    client.drain()
    thread.join(20)

    assert [node.power_state for node in client.nodes.list()] == ["power on"] * 4
    assert client.drain().bulks == 0


def test_a_start_ends_a_drain(conductor: Conductor, client: Client) -> None:
    client.drain()
    conductor.stop()
    conductor.start()
    with conductor.client() as other:
        drain = other.status().drain
        assert drain is not None
        assert not drain.is_draining
        assert other.nodes.create("n1", driver="fake").name == "n1"


def test_every_verb_that_only_looks_is_answered(client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    client.drain()
    arguments = {"node": "n1", "request": "nobody", "allocation": "nobody", "runbook": "NOBODY", "timeout_s": 0.01}
    looks = [
        convert({"verb": tag, **{name: arguments[name] for name in verb.__struct_fields__ if name in arguments}}, verb)
        for tag, verb in VERBS.items()
        if not verb.makes_work and tag != "request.list"
    ]

    answers = [answer for _, answer in client.send_many(looks)]

    assert len(answers) == len(looks) > 15
    assert not [answer for answer in answers if isinstance(answer, ConductorDraining)]
    assert sum(not isinstance(answer, CastironError) for answer in answers) > 10


def test_its_client_waits_for_the_end_of_a_drain(conductor: Conductor, client: Client) -> None:
    client.nodes.create("n1", driver="fake")
    client.drain()
    states: list[str] = []

    def ask() -> None:
        with conductor.client() as patient:
            states.append(patient.nodes.power("n1", "power on").wait(timeout_s=20).state)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: client.status().transport["peers"] == 2)
    thread.join(0.2)
    assert states == []
    client.drain(undo=True)
    thread.join(30)

    assert states == ["succeeded"]
