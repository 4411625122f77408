"""Why a node is not doing what it was asked for: each finding, read off facts."""

from typing import Any

import pytest
from msgspec import structs

from castiron.actors.core.messages import SetMaintenance
from castiron.actors.core.node import suspend
from castiron.actors.core.state import Check
from castiron.actors.core.telling.explanation import FINDINGS, BMCTrouble, Facts, explain
from castiron.actors.settings import Settings
from castiron.store.records import EventDraft, EventRecord, NodeLock
from castiron.store.records.copying import replace
from castiron.transport.replies import Finding
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import (
    EventSeq,
    EventType,
    Fault,
    Instant,
    NodeSeq,
    Policy,
    PowerState,
    ProvisionState,
    ProvisionTarget,
)
from tests.support.node_world import World
from tests.support.step_work import Luck
from tests.support.weather import Gust
from tests.unit.core.node.messages import POWER_ON, world
from tests.unit.core.requests.asked import OFF_AFTER, REBOOT

CHECKED = Settings(sync_power_state_interval_s=25.0)


def facts_of(node: World, **facts: Any) -> Facts:
    history = tuple(
        EventRecord(seq=EventSeq(number), node_seq=NodeSeq(number), draft=draft)
        for number, draft in enumerate(node.events, start=1)
    )[::-1]
    given: dict[str, Any] = {"state": node.state, "now": node.now, "settings": CHECKED, "history": history, **facts}
    return Facts(**given)


def found(facts: Facts) -> dict[str, Finding]:
    return {finding.code: finding for finding in explain(facts).findings}


def quiet(**record: Any) -> World:
    """A node that nothing is the matter with."""
    node = world(power_state=PowerState.OFF, power_state_at=Instant(9_999.0), **record)
    assert found(facts_of(node)).keys() == {"node.idle"}
    return node


def test_a_node_without_a_trouble_says_so() -> None:
    node = quiet()

    explanation = explain(facts_of(node))
    assert (explanation.node, explanation.node_uuid) == ("n1", node.record.uuid)
    assert "Nothing is in n1's way" in explanation.findings[0].text


def test_leaving() -> None:
    node = quiet()
    assert "being deleted" in found(facts_of(node, state=replace(node.state, leaving=True)))["node.leaving"].text


def test_aside_since_its_fault_and_with_advice() -> None:
    node = quiet()
    state = node.state.recording(maintenance=True, fault=Fault.ACTOR_FAILURE, last_error="Its actor failed.")
    event = EventDraft(type=EventType.NODE_FAULT_SET, at=Instant(77.0))
    history = (EventRecord(seq=EventSeq(1), node_seq=NodeSeq(1), draft=event),)

    finding = found(facts_of(node, state=state, history=history))["node.aside"]
    assert (finding.since, "Its actor failed." in finding.text) == (77.0, True)
    assert "castiron node maintenance unset n1" in str(finding.advice)


def test_fault() -> None:
    node = quiet()
    state = node.state.recording(maintenance=True, fault=Fault.POWER_FAILURE, maintenance_reason="No answer 3 times.")

    finding = found(facts_of(node, state=state))["node.fault"]
    assert ("No answer 3 times." in finding.text, finding.since) == (True, None), "who knows since when, says it"


def test_maintenance_by_whom_since_when_and_why() -> None:
    node = quiet()
    node.tell(SetMaintenance(maintenance=True, reason="new fan", requester="ipc:uid=7", reply_to="set"))
    set_at, node.now = node.now, Instant(node.now + 60)

    finding = found(facts_of(node))["node.maintenance"]
    assert "by ipc:uid=7: new fan" in finding.text
    assert (finding.since, finding.details["requester"]) == (set_at, "ipc:uid=7")
    assert "by somebody" in found(facts_of(node, history=()))["node.maintenance"].text


def test_a_running_request_and_the_exchange_that_it_waits_for() -> None:
    node = quiet()
    node.gusts = iter([Gust(takes_s=3.0)])
    request = node.submit(POWER_ON)
    node.grant()
    asked_at, node.now = node.now, Instant(node.now + 2.0)

    finding = found(facts_of(node))["request.running"]
    assert "is reading the power state. The BMC was asked to read power state 2.0 s ago." in finding.text
    assert (finding.since, finding.details["request"]) == (asked_at, request)
    assert "given up in 8 s" in str(finding.advice)


def test_a_running_request_between_two_exchanges() -> None:
    node = quiet()
    node.gusts = iter([Gust(), Gust(effect_after_s=5.0), Gust(), Gust(), Gust()])
    node.submit(POWER_ON)
    node.run_until(node.now + 0.3)

    finding = found(facts_of(node))["request.running"]
    assert "is waiting for power on. The BMC is asked again in 0.2 s." in finding.text


def test_a_request_that_is_being_aborted() -> None:
    node = quiet()
    request = node.submit(POWER_ON)
    node.grant()
    node.withdraw(request, "ipc:uid=7", is_abort=True, force=True)

    finding = found(facts_of(node))["request.running"]
    assert ("It is ended by ipc:uid=7." in finding.text, finding.advice) == (True, None)


def test_an_interrupted_request_waits_to_be_taken_up_again() -> None:
    node = quiet()
    request = node.submit(POWER_ON)
    node.grant()

    facts = facts_of(node, state=suspend(node.state), permits_in_use=3, permits_limit=3)
    finding = found(facts)["request.interrupted"]
    assert finding.details == {"request": request}
    assert "It waits for a permit: 3 requests run, and max_running_actions is 3." in finding.text


@pytest.mark.parametrize(
    ("in_use", "told"), [(1, "It waits for a permit: 1 requests run"), (0, "It is about to start.")]
)
def test_the_first_in_line_waits_for_a_permit(in_use: int, told: str) -> None:
    node = quiet()
    node.submit(POWER_ON)

    finding = found(facts_of(node, permits_in_use=in_use))["request.queued"]
    assert f"waits at place 1. {told}" in finding.text
    assert finding.since == node.now


@pytest.mark.parametrize(
    ("cap", "told"), [(2, "2 power actions run, and max_concurrent_power is 2."), (3, "It is about")]
)
def test_a_power_action_waits_for_the_permits_of_power_actions_too(cap: int, told: str) -> None:
    node = quiet()
    node.submit(POWER_ON)
    settings = replace(CHECKED, max_concurrent_power=cap)

    facts = facts_of(node, settings=settings, permits_in_use=2, permits_limit=9, power_in_use=2)

    assert told in found(facts)["request.queued"].text


def test_a_power_action_that_waits_for_the_rate_is_told_when_it_begins() -> None:
    node = quiet()
    node.submit(POWER_ON)
    settings = replace(CHECKED, power_action_rate_per_s=50.0)

    facts = facts_of(node, settings=settings, permits_ahead=312)
    text = found(facts)["request.queued"].text

    assert "312 power actions begin before it" in text
    assert "power_action_rate_per_s is 50, so it begins in some 6.26 s." in text
    assert "about to start" in found(facts_of(node, settings=settings))["request.queued"].text


def queue(node: World) -> list[str]:
    return [finding.text for finding in explain(facts_of(node)).findings if finding.code == "request.queued"]


def test_those_behind_wait_for_their_turn_for_their_precondition_or_for_the_maintenance() -> None:
    node = quiet()
    running = node.submit(POWER_ON)
    node.grant()
    after = node.submit(OFF_AFTER)

    assert f"It starts if node.power.set from ipc (request {running}) succeeds, and fails if not." in queue(node)[0]
    assert after in [one.id for one in node.state.queue]


def test_what_is_held_waits_for_the_end_of_the_maintenance() -> None:
    node = quiet()
    node.tell(SetMaintenance(maintenance=True, requester="ipc", reply_to="set"))
    node.submit(structs.replace(POWER_ON, hold=True))

    assert "It is held until the end of the maintenance." in queue(node)[0]


def test_a_request_behind_one_that_it_does_not_depend_on() -> None:
    node = quiet()
    running = node.submit(POWER_ON)
    node.grant()
    node.submit(structs.replace(REBOOT, policy=Policy.SUPERSEDE))

    assert f"It waits for its turn, behind node.power.set from ipc (request {running})." in queue(node)[0]


def test_what_waits_for_a_look_at_the_machine() -> None:
    node = quiet()
    node.submit(structs.replace(POWER_ON, fresh=True))

    assert found(facts_of(node))["request.parked"].details == {"count": 1}


def failure_at(node: World, **error: Any) -> tuple[EventRecord, ...]:
    draft = EventDraft(
        type=EventType.POWER_SET_ERROR, at=node.now, request_id=None, payload={"error": {"message": "m", **error}}
    )
    return (EventRecord(seq=EventSeq(1), node_seq=NodeSeq(1), draft=draft),)


def test_the_latest_failure_and_what_to_do() -> None:
    node = quiet()
    finding = found(facts_of(node, history=failure_at(node, code="bmc.busy", retry_after_s=2.0)))["request.failed"]

    assert finding.text == "The latest request failed with bmc.busy: m"
    assert (finding.since, finding.advice) == (node.now, "Ask again after 2 s.")
    no_hint = found(facts_of(node, history=failure_at(node, code="bmc.fault")))["request.failed"]
    assert "castiron request trace" in str(no_hint.advice)


def test_a_failure_before_a_success_is_no_finding() -> None:
    node = quiet()
    node.submit(POWER_ON)
    node.drain()
    facts = facts_of(node)

    assert "request.failed" not in found(replace(facts, history=[*facts.history, *failure_at(node)]))


def test_checks_that_fail_and_a_bmc_that_does() -> None:
    node = quiet()
    state = replace(node.state, check=Check(failures=2, is_begun=True))
    trouble = BMCTrouble(since=Instant(50.0), counts={"bmc.unreachable": 4, "bmc.busy": 1})
    findings = found(facts_of(node, state=state, trouble=trouble))

    assert findings["check.failing"].details == {"failures": 2}
    assert findings["bmc.troubled"].text == "Its BMC fails: 4 bmc.unreachable, 1 bmc.busy."
    assert findings["bmc.troubled"].since == 50.0


def test_a_power_state_that_is_unknown_or_old() -> None:
    node = quiet()
    node.now = Instant(node.now + 100)

    old = found(facts_of(node))["power_state.old"]
    assert old.text == "It was last seen at power off, 101 s ago; it is looked at each 25 s."
    assert "power_state.unknown" in found(facts_of(world()))


def test_a_node_that_is_not_checked() -> None:
    node = quiet()

    assert "check.off" in found(facts_of(node, settings=Settings(sync_power_state_interval_s=0.0)))
    assert "check.off" in found(facts_of(node, state=node.state.recording(power_check_interval_s=0.0)))
    assert "check.off" in found(facts_of(node, state=node.state.recording(maintenance=True)))


def test_what_stands_in_the_way_most_comes_first() -> None:
    node = quiet()
    node.submit(POWER_ON)
    node.tell(SetMaintenance(maintenance=True, requester="ipc", reply_to="set"))
    node.submit(POWER_ON)

    assert list(found(facts_of(node))) == ["node.maintenance", "request.queued", "check.off"]
    assert len(set(FINDINGS)) == len(FINDINGS)


GUARDS: dict[str, tuple[dict[str, Any], str]] = {
    "node.locked": (
        {"lock": NodeLock(owner="curve:ann", reason="new fan", since=Instant(70.0))},
        "It is locked by curve:ann: new fan. Nobody else changes it.",
    ),
    "node.protected": (
        {"protected": True, "protected_reason": "a database"},
        "It is protected: a database. It is not undeployed, rebuilt or deleted.",
    ),
    "node.retired": ({"retired": True}, "It is retired: no reason given. It is offered to nobody any more."),
    "node.stays_on": (
        {"disable_power_off": True},
        "Its machine must not be powered off, not even for a reboot.",
    ),
    "node.two_passwords": (
        {"other_passwords": {"candidate": "n3w-secret"}},
        "A change of its BMC's password was cut short: two are kept, and which one lets in is not known.",
    ),
}


@pytest.mark.parametrize("code", GUARDS)
def test_what_a_node_is_guarded_by_and_how_that_ends(code: str) -> None:
    node = quiet()
    changes, text = GUARDS[code]

    findings = found(facts_of(node, state=node.state.recording(**changes)))

    assert findings.keys() == {code}
    assert (findings[code].text, findings[code].since) == (text, 70.0 if code == "node.locked" else None)
    assert "n1" in str(findings[code].advice)
    assert "n3w-secret" not in str(findings)


def test_a_move_that_has_failed() -> None:
    node = world(power_state=PowerState.OFF, provision_state=ProvisionState.AVAILABLE)
    node.bench.luck = iter([Luck.FAILS])
    step = StepWish(interface="test", step="blind")
    node.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.DEPLOY, steps=[step]))
    node.run_until(node.now + 5.0)

    assert "It did not work." in found(facts_of(node))["request.failed"].text
