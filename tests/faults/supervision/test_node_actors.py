"""Node actors that fail, hang or are stopped: replaced within two seconds, nothing lost, no neighbour touched."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from castiron.actors.asking import Asked
from castiron.actors.core.messages import Message, Submit
from castiron.actors.drivers.base import GetPower, SetPower
from castiron.actors.nodes.node import NodeActor
from castiron.actors.settings import Settings
from castiron.store.records import Change, NodeRecord, NodeUpdate, RequestRecord
from castiron.transport.clients.blocking.client import Client
from castiron.transport.doors.slip import Slip
from castiron.transport.errors import CastironError, InternalError, NodeInMaintenance, NodeLocked
from castiron.transport.vocabulary import Instant, PowerState, RequestID, RequestState, Revision
from tests.faults.supervision.house import QUICK, REPLACED_S, Asking, House, Snare, exit_process, fail, insist
from tests.support.conductor_plugin import Bug, actor_of, mailbox_of, once
from tests.support.conductor_process import opened
from tests.support.deadline import until


@pytest.mark.parametrize("bug", [fail, exit_process])
@pytest.mark.parametrize("at", [GetPower, SetPower])
def test_an_actor_whose_driver_raises_is_replaced_and_its_request_is_carried_out(
    house: House, bug: Bug, at: type
) -> None:
    client = house.with_nodes()
    struck = once(bug)
    house.driver.bugs[house.uuids[0]] = lambda call: struck(call) if isinstance(call.operation, at) else None

    began = time.monotonic()
    request = client.nodes.power("n1", "power on")
    neighbour = client.nodes.power("n2", "power on").wait(timeout_s=REPLACED_S)
    request.wait(timeout_s=REPLACED_S)

    assert (request.state, neighbour.state) == ("succeeded", "succeeded")
    assert (request.view.attempts, neighbour.view.attempts) == (2, 1)
    assert time.monotonic() - began < REPLACED_S
    assert house.controls(0) == ["on"]
    assert client.status().actors["restarts"] == 1
    house.audit()


def test_a_node_whose_actor_keeps_failing_is_put_aside_and_tried_again_after_a_restart(house: House) -> None:
    client = house.with_nodes()
    house.driver.bugs[house.uuids[0]] = fail

    request = client.nodes.power("n1", "power on").wait(timeout_s=5)
    neighbour = client.nodes.power("n2", "power on").wait(timeout_s=5)

    assert (request.state, neighbour.state) == ("failed", "succeeded")
    with pytest.raises(InternalError):
        request.raise_for_error()
    aside = client.nodes.show("n1")
    assert (aside.fault, aside.maintenance) == ("actor failure", True)
    with pytest.raises(NodeInMaintenance, match="put aside"):
        client.nodes.power("n1", "power on")
    counts = client.status().actors
    assert counts["restarts"] <= QUICK.restart_intensity
    assert counts["put_aside"] == 1
    assert len(house.driver.calls) < 40, "a storm"
    house.close()

    client = house.open()
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"
    assert client.nodes.show("n1").fault is None
    house.audit()


def put_aside(house: House, client: Client) -> None:
    """Have the actor of n1 fail until it is put aside."""
    house.driver.bugs[house.uuids[0]] = fail
    before = client.status().actors["restarts"]
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "failed"
    until(lambda: client.status().actors["put_aside"] == 1)
    assert client.status().actors["restarts"] == before + QUICK.restart_intensity
    assert client.nodes.show("n1").fault == "actor failure"


def test_a_node_that_was_put_aside_is_tried_again_when_it_is_taken_out_of_maintenance(house: House) -> None:
    client = house.with_nodes()
    for _ in range(2):  # as often as somebody wants it, with all its chances each time
        put_aside(house, client)
        restarts = client.status().actors["restarts"]
        del house.driver.bugs[house.uuids[0]]

        back = client.nodes.unset_maintenance("n1")

        assert (back.maintenance, back.fault, client.status().actors["put_aside"]) == (False, None, 0)
        assert client.nodes.power("n1", "power off").wait(timeout_s=5).state == "succeeded"
        assert client.status().actors["restarts"] == restarts + 1
    house.audit()


def test_maintenance_by_hand_of_a_node_that_was_put_aside_ends_by_hand(house: House) -> None:
    client = house.with_nodes()
    client.nodes.set_maintenance("n1", reason="fan")
    put_aside(house, client)
    with pytest.raises(NodeInMaintenance, match="node maintenance unset n1"):
        client.nodes.set_maintenance("n1", reason="moving")
    del house.driver.bugs[house.uuids[0]]

    client.nodes.unset_maintenance("n1")

    looks = {"node.power_state_corrected.success"}  # a check may come in between
    told = [event.type for event in client.nodes.history("n1") if event.type not in looks][:3]
    assert told == ["node.maintenance_set.end", "node.fault_cleared.success", "node.fault_set.success"]
    assert client.nodes.show("n1").maintenance is False
    house.audit()


def test_a_node_that_was_put_aside_is_deleted_though_its_driver_still_fails(house: House) -> None:
    client = house.with_nodes()
    put_aside(house, client)

    client.nodes.delete("n1")

    assert [node.name for node in client.nodes.list()] == ["n2", "n3"]
    assert client.status().actors["put_aside"] == 0
    assert client.nodes.create("n1", driver="fake").name == "n1"
    house.audit()


def test_an_actor_that_fails_again_and_again_is_put_aside_again_and_who_waits_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.with_nodes()
    put_aside(house, client)

    decide, uuid = NodeActor._decide, house.uuids[0]

    def fail_at_anything(actor: NodeActor, message: Message) -> None:
        if actor.uuid == uuid:
            raise ZeroDivisionError
        decide(actor, message)

    with monkeypatch.context() as broken:
        broken.setattr(NodeActor, "_decide", fail_at_anything)
        for ask in (client.nodes.unset_maintenance, client.nodes.delete):
            with pytest.raises((NodeInMaintenance, InternalError)):
                ask("n1")
            until(lambda: client.status().actors["put_aside"] == 1)

    assert client.nodes.power("n2", "power on").wait(timeout_s=5).state == "succeeded"
    del house.driver.bugs[house.uuids[0]]
    assert client.nodes.unset_maintenance("n1").fault is None
    house.audit()


def test_many_who_take_a_node_back_at_once_are_all_answered(house: House) -> None:
    client = house.with_nodes()
    put_aside(house, client)
    del house.driver.bugs[house.uuids[0]]

    def ask() -> bool:
        with house.conductor.client(timeout_s=10) as asker:
            return asker.nodes.unset_maintenance("n1").maintenance

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask) for _ in range(8)]
        assert [answer.result(10) for answer in answers] == [False] * 8
    assert client.nodes.power("n1", "power off").wait(timeout_s=5).state == "succeeded"
    house.audit()


def test_a_stored_request_that_this_version_does_not_understand_costs_its_own_node_only(house: House) -> None:
    house.with_nodes()
    house.close()
    with opened(house.path) as store:
        record = next(node for node in store.nodes() if node.name == "n1")
        change = Change(
            node=NodeUpdate(record=revised(record)),
            requests=(stored_request(record, {"target": "sideways"}),),
        )
        assert not isinstance(store.committer.commit([change])[0], Exception)

    client = house.open()

    strange = client.requests.wait("of-another-version", 5)
    assert strange.state == "failed"
    assert client.nodes.show("n1").fault == "actor failure"
    assert client.nodes.power("n2", "power on").wait(timeout_s=5).state == "succeeded"
    house.audit()


def revised(record: NodeRecord) -> NodeRecord:
    return replace(record, revision=Revision(record.revision + 1))


def stored_request(record: NodeRecord, arguments: dict[str, str]) -> RequestRecord:
    return RequestRecord(
        id=RequestID("of-another-version"),
        node_uuid=record.uuid,
        node_name=record.name,
        verb="node.power.set",
        arguments=arguments,
        requester="test",
        state=RequestState.QUEUED,
        accepted_at=Instant(1.0),
    )


@pytest.mark.parametrize("at", [GetPower, SetPower])
def test_an_actor_that_hangs_is_replaced_and_what_it_still_wants_is_refused(house: House, at: type) -> None:
    client = house.with_nodes(
        Settings(hung_turn_s=0.3, restart_delay_initial_s=0.02, max_running_actions=1, unknown_outcome_settle_s=0.2)
    )
    snare = Snare(at)
    house.driver.bugs[house.uuids[0]] = snare
    request = client.nodes.power("n1", "power on")
    assert snare.caught.wait(5)

    with house.conductor.client(timeout_s=REPLACED_S) as other:
        assert other.nodes.show("n2").name == "n2"
        began = time.monotonic()
        with pytest.raises(NodeLocked):  # waits in the mailbox of the one that hangs, and is answered all the same
            other.nodes.power("n1", "power off")
        assert time.monotonic() - began < REPLACED_S
        assert other.nodes.power("n2", "power on").wait(timeout_s=5).state == "succeeded"
    assert request.wait(timeout_s=5).state == "succeeded"
    before = house.controls(0)
    snare.open()
    assert snare.left.wait(5)
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"

    assert before == house.controls(0) == ["on"], "the late call of the one that hung was carried out"
    until(lambda: client.status().requests.running == 0)  # whoever asked is told first, then the place is free
    assert client.status().actors["restarts"] == 1
    house.audit()


def test_an_actor_that_is_stopped_behind_the_conductors_back_is_replaced(house: House) -> None:
    client = house.with_nodes()
    snare = threading.Event()
    house.driver.bugs[house.uuids[0]] = lambda _: snare.set()
    request = client.nodes.power("n1", "power on")
    assert snare.wait(5)

    actor_of(house.uuids[0]).stop()

    assert request.wait(timeout_s=REPLACED_S).state == "succeeded"
    assert client.nodes.power("n1", "power off").wait(timeout_s=REPLACED_S).state == "succeeded"
    house.audit()


def test_messages_that_wait_at_an_actor_that_ends_are_answered(house: House) -> None:
    client = house.with_nodes(Settings(hung_turn_s=30.0, restart_delay_initial_s=0.02))
    snare = Snare(GetPower)
    house.driver.bugs[house.uuids[0]] = snare
    request = client.nodes.power("n1", "power on")
    assert snare.caught.wait(5)
    answers: list[object] = []

    def ask(change: int) -> None:
        with house.conductor.client(timeout_s=10) as asker:
            try:
                answers.append(asker.nodes.set("n1", extra={"asked": change}) if change else asker.nodes.delete("n1"))
            except CastironError as error:
                answers.append(error)

    threads = [threading.Thread(target=ask, args=(change,)) for change in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: mailbox_of(actor_of(house.uuids[0])).waiting() >= 2)
    house.driver.bugs[house.uuids[0]] = fail
    snare.open()
    for thread in threads:
        thread.join(10)

    assert len(answers) == 3
    assert not [answer for answer in answers if isinstance(answer, InternalError)], answers
    request.wait(timeout_s=5)


class Heard:
    """An answer that a test holds."""

    def __init__(self) -> None:
        self.failed = threading.Event()
        self.error: CastironError | None = None

    def accepted(self, *_: object) -> None:
        raise AssertionError

    final = accepted

    def part(self, *_: object) -> Slip:
        raise AssertionError

    def when_gone(self, *_: object) -> None:
        raise AssertionError

    def fail(self, error: CastironError, seq: object) -> None:
        del seq
        self.error = error
        self.failed.set()


def test_whoever_sent_the_message_that_an_actor_failed_at_is_told_so(house: House) -> None:
    client = house.with_nodes()
    heard = Heard()
    poison = Submit(request_id=RequestID("r"), verb=None, requester="test", reply_to=Asked(heard))  # type: ignore[arg-type]  # a bug

    actor_of(house.uuids[0]).tell(poison)

    assert heard.failed.wait(REPLACED_S)
    assert isinstance(heard.error, InternalError)
    assert (heard.error.applied, heard.error.error_id is not None) == ("no", True)
    assert insist(lambda: client.nodes.power("n1", "power on").wait(timeout_s=REPLACED_S)) == "ok"
    house.audit()


def test_the_power_check_of_a_replaced_actor_goes_on_and_its_neighbours_were_never_late(house: House) -> None:
    checked = replace(QUICK, sync_power_state_interval_s=0.2, power_check_start_spread_s=0.0)
    client = house.with_nodes(checked)
    asked = Asking(house)
    until(lambda: asked.count(0) >= 2 and asked.count(1) >= 2)

    house.driver.bugs[house.uuids[0]] = once(fail)
    until(lambda: client.status().actors["restarts"] == 1)
    before = asked.count(0)
    house.driver.bmc(house.uuids[0]).power = PowerState.ON  # behind everybody's back

    until(lambda: asked.count(0) >= before + 3)
    until(lambda: client.nodes.show("n1").power_state == "power on")
    assert client.status().actors["restarts"] == 1
    house.audit()
