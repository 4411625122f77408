"""Actors that fail, hang or are stopped: replaced within two seconds, with nothing lost and no neighbour touched."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pykka
import pytest

from castiron.actors.asking import Asked
from castiron.actors.conductor import Conductor
from castiron.actors.core.messages import Submit
from castiron.actors.drivers.base import Call, GetPower, SetPower
from castiron.actors.fleet import FleetActor
from castiron.actors.settings import Settings
from castiron.actors.supervision.supervisor import SupervisorActor
from castiron.store.records import Change, NodeRecord, NodeUpdate, RequestRecord
from castiron.testing import running_conductor
from castiron.transport.clients.client import Client
from castiron.transport.errors import (
    CastironError,
    ConductorOverloaded,
    InternalError,
    NodeInMaintenance,
    NodeLocked,
)
from castiron.transport.vocabulary import (
    Instant,
    PowerState,
    RequestID,
    RequestState,
    Revision,
)
from tests.support.conductor_plugin import Bug, BuggyDriver, Plugin, actor_of, mailbox_of, once
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until

REPLACED_S = 2.0
"""What the design promises."""

QUICK = Settings(
    hung_turn_s=0.3,
    restart_delay_initial_s=0.02,
    restart_delay_max_s=0.1,
    graceful_shutdown_timeout_s=2.0,
    unknown_outcome_settle_s=0.2,
)


class House:
    """A conductor with a plug-in driver, three nodes, and its store."""

    def __init__(self, folder: Path) -> None:
        self.plugin = Plugin()
        self.path = folder / "castiron.db"
        self.uuids: list[str] = []
        self._stack = ExitStack()

    def open(self, settings: Settings = QUICK) -> Client:
        self.conductor: Conductor = self._stack.enter_context(
            running_conductor(store=self.path, settings=settings, drivers=self.plugin.make)
        )
        self.client = self._stack.enter_context(self.conductor.client(timeout_s=10.0))
        return self.client

    def with_nodes(self, settings: Settings = QUICK) -> Client:
        client = self.open(settings)
        self.uuids = [client.nodes.create(name, driver="fake").uuid for name in ("n1", "n2", "n3")]
        return client

    def close(self) -> None:
        self._stack.close()

    @property
    def driver(self) -> BuggyDriver:
        return self.plugin.driver

    def controls(self, node: int) -> list[str]:
        return [control.value for control in self.driver.bmc(self.uuids[node]).controls]

    def audit(self) -> Audit:
        self.close()
        with opened(self.path) as store:
            audit = Audit(store)
        audit.check()
        return audit


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def fail(call: Call) -> None:
    raise RuntimeError(f"a bug at {type(call.operation).__name__}")


def exit_process(call: Call) -> None:
    raise SystemExit(f"a plug-in that calls sys.exit at {type(call.operation).__name__}")


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


class Snare:
    """A call in it does not come back until it is opened."""

    def __init__(self, at: type) -> None:
        self._at = at
        self._opened = threading.Event()
        self.caught = threading.Event()
        self.left = threading.Event()

    def __call__(self, call: Call) -> None:
        if isinstance(call.operation, self._at) and not self.caught.is_set():
            self.caught.set()
            self._opened.wait(30)
            self.left.set()

    def open(self) -> None:
        self._opened.set()


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
    until(lambda: client.status().requests["running"] == 0)  # whoever asked is told first, then the place is free
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


def test_a_plug_in_that_fails_at_checking_costs_one_answer_and_not_the_fleet(house: House) -> None:
    client = house.with_nodes()

    def check_bug(_: object) -> None:
        raise ZeroDivisionError

    house.driver.check_bug = check_bug
    with pytest.raises(InternalError):
        client.nodes.create("n4", driver="fake")
    house.driver.check_bug = lambda _: None

    assert client.nodes.create("n4", driver="fake").name == "n4"
    assert client.nodes.set("n1", name="n5").name == "n5"
    assert client.nodes.create("n1", driver="fake").name == "n1"
    house.audit()


def test_the_fleets_actor_is_replaced_again_and_again_while_nodes_come_go_and_are_renamed(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.with_nodes(replace(QUICK, restart_intensity=1000))  # no pauses
    stop = threading.Event()
    outcomes: list[str] = []

    def churn(number: int) -> None:
        name, other = f"c{number}", f"d{number}"
        with house.conductor.client(timeout_s=10) as client:
            while not stop.is_set():
                outcomes.append(insist(lambda: client.nodes.create(name, driver="fake")))
                outcomes.append(insist(lambda: client.nodes.set(name, name=other)))
                outcomes.append(insist(lambda: client.nodes.delete(other)))

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    for _ in range(30):
        for ref in pykka.ActorRegistry.get_by_class(FleetActor):
            ref.stop(block=False)
        pause.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert len(outcomes) > 30
    assert set(outcomes) == {"ok"}
    assert caplog.text.count("the fleet's actor failed (it was stopped); it is replaced") >= 20
    with house.conductor.client() as client:
        assert {node.name for node in client.nodes.list()} == {"n1", "n2", "n3"}
        for number in range(3):
            for name in (f"c{number}", f"d{number}"):
                client.nodes.create(name, driver="fake")  # every name is free
    house.audit()


def test_a_fleets_actor_that_keeps_failing_is_replaced_more_and_more_rarely_and_the_nodes_go_on(house: House) -> None:
    client = house.with_nodes()

    def check_bug(_: object) -> None:
        raise ZeroDivisionError

    house.driver.check_bug = check_bug
    answers: Counter[str] = Counter()
    began = time.monotonic()
    while answers["conductor.overloaded"] < 20:
        with pytest.raises((InternalError, ConductorOverloaded)) as caught:
            client.nodes.create("n4", driver="fake")
        answers[caught.value.code] += 1
        assert isinstance(caught.value, InternalError) or caught.value.retry_after_s is not None
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"
    restarts, took_s = client.status().actors["fleet_restarts"], time.monotonic() - began
    house.driver.check_bug = lambda _: None

    assert QUICK.restart_intensity <= restarts <= QUICK.restart_intensity + 3 + took_s / QUICK.restart_delay_max_s
    assert insist(lambda: client.nodes.create("n4", driver="fake")) == "ok"
    assert insist(lambda: client.nodes.set("n1", name="n5")) == "ok"
    assert house.conductor.failure is None
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


class Asking:
    """How often each node's power state was read."""

    def __init__(self, house: House) -> None:
        self._house = house

    def count(self, node: int) -> int:
        calls = list(self._house.driver.calls)
        uuid = self._house.uuids[node]
        return sum(call.target.node == uuid and isinstance(call.operation, GetPower) for call in calls)


def insist(verb: Callable[[], object]) -> str:
    """Ask again for as long as the conductor says that it is being mended."""
    pause = threading.Event()
    for _ in range(200):
        try:
            verb()
        except ConductorOverloaded as error:
            pause.wait(min(error.retry_after_s or 0.01, 0.01))
        except CastironError as error:
            return f"{type(error).__name__}: {error}"
        else:
            return "ok"
    return "never"


def test_a_supervisor_that_is_gone_makes_the_conductor_give_up_and_say_so(house: House) -> None:
    house.with_nodes()

    for ref in pykka.ActorRegistry.get_by_class(SupervisorActor):
        ref.stop()

    assert house.conductor.wait(timeout_s=5)
    assert house.conductor.failure == "the supervisor was stopped"


def test_a_clock_that_hangs_is_named_shown_and_forgotten_when_it_goes_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    client = house.with_nodes()
    opened = threading.Event()
    clock = house.driver._fake._clock

    clock.call_at(clock.now(), lambda: stand_still(opened))
    until(lambda: client.status().threads["clock"] == "hung")
    opened.set()
    until(lambda: client.status().threads["clock"] == "alive")

    (named,) = [record.message for record in caplog.records if "hangs" in record.message]
    assert named.startswith("the clock hangs for ")
    assert "stand_still" in named
    assert "the clock goes on" in caplog.text
    assert (client.status().actors["threads_hung_ever"], house.conductor.failure) == (1, None)
    assert client.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"


def stand_still(opened: threading.Event) -> None:
    opened.wait(20)


def test_every_thread_of_a_conductor_counts_its_work() -> None:
    with running_conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="ipmi", driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 9})
        client.nodes.create("n2", driver="fake")
        client.nodes.power("n1", "power on")
        client.nodes.power("n2", "power on").wait(timeout_s=5)
        client.nodes.history("n2")
        assert conductor._watch is not None
        parts = conductor._watch._heartbeats._parts

        assert set(parts) == {"clock", "store writer", "archive", "front door", "ipmi driver"}
        for part in parts.values():
            assert part.beats() > 0
            until(lambda part=part: part.beats() % 2 == 0)  # type: ignore[misc]  # a default binds the loop's value
            assert part.thread is not None
