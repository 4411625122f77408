"""What a conductor tells of requests: their traces, forecasts, explanations, records; and that it all agrees."""

import json
import threading
from functools import partial
from typing import Any

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.testing.replay import NoRecord, replay
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import NodeLocked, NodeNotFound
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.verbs import (
    NodeCreate,
    NodeDelete,
    NodeMaintenanceSet,
    NodePowerSet,
    NodeSet,
    NodeShow,
    RequestCancel,
    RequestShow,
)
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, PowerTarget, RequestState, TraceWord, Would
from tests.support.deadline import until
from tests.support.talking import Talking

SETTINGS = Settings(sync_power_state_interval_s=0.0, power_state_change_timeout_s=20.0)
LONG_S = 30.0

pytestmark = pytest.mark.castiron(settings=SETTINGS, impatient=False, timeout_s=20)


def power(target: PowerTarget, node: str = "n1") -> NodePowerSet:
    return NodePowerSet(node=node, target=target)


def test_a_trace_holds_the_exchanges_with_the_bmc(castiron_client: Client) -> None:
    request = castiron_client.nodes.power("n1", "rebooting").wait(LONG_S)

    trace = castiron_client.requests.trace(request.id)
    asked = [entry.details["asked"] for entry in trace.entries if entry.word is TraceWord.EXCHANGE]
    assert trace.request == castiron_client.requests.show(request.id).view
    assert [trace.entries[0].word, trace.entries[-1].word] == [TraceWord.ACCEPTED, TraceWord.ENDED]
    assert asked[0] == "read power state"
    assert "power on" in asked
    assert all(entry.at >= request.view.accepted_at for entry in trace.entries)


def test_the_trace_of_a_running_request_says_what_it_waits_for(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    bmc_farm[0].set_faults(Faults(silent=True))
    request = castiron_client.nodes.power("n1", "power on")

    def is_asking() -> bool:
        entries = castiron_client.requests.trace(request.id).entries
        return entries[-1].word is TraceWord.EXCHANGE and entries[-1].until is None

    until(is_asking)
    (finding,) = [one for one in castiron_client.nodes.explain("n1").findings if one.code == "request.running"]
    assert "The BMC was asked to read power state" in finding.text
    assert finding.details["request"] == request.id


def test_a_forecast_changes_nothing_and_a_refusal_is_the_verbs_own(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    before, seq = castiron_client.nodes.snapshot()
    assert castiron_client.foretell(power(PowerTarget.ON)).would is Would.START
    assert castiron_client.foretell(
        NodeCreate(name="n9", driver="ipmi", driver_info=bmc_farm[0].driver_info, force=True)
    ).would is (Would.CREATE)
    assert castiron_client.foretell(NodeSet(node="n1", extra={"rack": 1})).changed == ["extra"]
    assert castiron_client.foretell(NodeSet(node="n1", name="n9")).changed == ["name"]
    assert castiron_client.foretell(NodeDelete(node="n1")).would is Would.DELETE
    assert castiron_client.foretell(NodeMaintenanceSet(node="n1")).changed == ["maintenance"]

    assert castiron_client.nodes.snapshot() == (before, seq)
    assert castiron_client.requests.list() == []
    assert castiron_client.nodes.set("n2", name="n9").name == "n9", "a forecast has taken no name"
    with pytest.raises(NodeNotFound):
        castiron_client.foretell(power(PowerTarget.ON, "nobody"))
    bmc_farm[0].set_faults(Faults(silent=True))
    running = castiron_client.nodes.power("n1", "power on")
    with pytest.raises(NodeLocked) as refusal:
        castiron_client.foretell(power(PowerTarget.OFF))
    assert refusal.value.details["request"] == running.id
    assert castiron_client.foretell(power(PowerTarget.ON)).request == running.id


def test_a_key_that_is_known_is_foretold_as_its_request(castiron_client: Client) -> None:
    keyed = NodePowerSet(node="n1", target=PowerTarget.ON, key="my-own-key-1")
    ((_, made),) = castiron_client.send_many([keyed])
    assert isinstance(made, RequestView)
    castiron_client.requests.wait(made.id, LONG_S)

    assert (castiron_client.foretell(keyed).would, castiron_client.foretell(keyed).request) == (Would.MERGE, made.id)


def test_a_cancellation_is_foretold(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    bmc_farm[0].set_faults(Faults(silent=True))
    castiron_client.nodes.power("n1", "power on")
    ((_, waiting),) = castiron_client.send_many([NodePowerSet(node="n1", target=PowerTarget.OFF, policy="after")])  # type: ignore[arg-type]  # the codec takes words
    assert isinstance(waiting, RequestView)

    assert castiron_client.foretell(RequestCancel(request=waiting.id)).would is Would.CANCEL
    assert castiron_client.requests.show(waiting.id).state is RequestState.QUEUED


def test_a_record_can_be_lived_through_again_and_holds_no_secret(castiron_client: Client, bmc_farm: BMCFarm) -> None:
    castiron_client.nodes.set("n1", driver_info={"ipmi_password": bmc_farm[0].driver_info["ipmi_password"]})
    for target in ("power on", "rebooting", "power off", "soft power off"):
        castiron_client.nodes.power("n1", target).wait(LONG_S)
    castiron_client.nodes.set_boot_device("n1", "pxe").wait(LONG_S)
    bmc_farm[0].set_faults(Faults(silent=True))
    castiron_client.nodes.power("n1", "power on", timeout_s=1.5).wait(LONG_S)

    lines = [json.dumps(line) for line in castiron_client.nodes.record("n1")]
    assert json.dumps(bmc_farm[0].driver_info["ipmi_password"]) not in "\n".join(lines)
    outcome = replay(lines, SETTINGS)
    assert outcome.differences == []
    assert outcome.skipped == {}
    assert len(outcome.compared) == 6


def in_state(client: Client, request_id: str, state: str) -> bool:
    return client.requests.show(request_id).state == state


def test_moves_can_be_lived_through_again_with_all_that_their_steps_ask(
    castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    everything: list[Any] = [
        {"interface": "management", "step": "identify", "args": {"duration_s": 1}},
        "management.clear_sel",
        {"interface": "management", "step": "set_boot_device", "args": {"boot_device": "pxe"}},
        "reboot",
        {"step": "wait", "args": {"seconds": 0.2}},
        *(f"inspect.read_{what}" for what in ("device_id", "guid", "fru", "sensors")),
        {"interface": "power", "step": "check_power_state", "args": {"power_state": "power on"}},
        "management.reset_bmc",
    ]
    moves: list[tuple[str, list[Any] | None]] = [
        ("manage", None),
        ("inspect", None),
        ("clean", everything),
        ("clean", [{"step": "wait", "args": {"seconds": 0}}, "management.check_bmc"]),
        ("provide", None),
        ("deploy", ["power_off"]),
        ("undeploy", None),
    ]
    for target, steps in moves:
        move = castiron_client.provision.set("n1", target, steps=steps, engine_mode="parallel" if steps else None)
        until(partial(in_state, castiron_client, move.id, "succeeded"), timeout_s=LONG_S)
    request = castiron_client.provision.set("n1", "deploy", steps=["wait"])
    until(lambda: any(step.token for step in castiron_client.provision.steps("n1").steps), timeout_s=LONG_S)
    castiron_client.provision.step_done(
        "n1", castiron_client.provision.steps("n1").steps[0].token or "", error="no disk"
    )
    castiron_client.requests.wait(request.id, LONG_S)
    bmc_farm[0].set_faults(Faults(silent=True))
    castiron_client.provision.set("n1", "deploy", steps=[{"step": "power_on", "timeout_s": 1.5}]).wait(LONG_S)

    lines = [json.dumps(line) for line in castiron_client.nodes.record("n1")]
    outcome = replay(lines, SETTINGS)

    assert outcome.differences == []
    assert outcome.skipped == {request.id: "somebody else ended a step, or was told a secret"}
    assert len(outcome.compared) == len(moves) + 1
    told = [line.replace('"asked": "identify"', '"asked": "reset bmc"') for line in lines]
    assert any("now to identify" in text for text in replay(told, SETTINGS).differences)


def test_a_record_that_was_tampered_with_is_found_out(castiron_client: Client) -> None:
    castiron_client.nodes.power("n1", "power on").wait(LONG_S)
    lines = [json.dumps(line) for line in castiron_client.nodes.record("n1")]

    told = [line.replace('"answer": "power on"', '"answer": "power off"') for line in lines]
    assert replay(told, SETTINGS).differences
    told = [line.replace('"asked": "power on"', '"asked": "power off"') for line in lines]
    assert any("now to power on" in text for text in replay(told, SETTINGS).differences)
    with pytest.raises(NoRecord):
        replay(["{}"], SETTINGS)


def test_a_long_record_comes_in_pages(castiron_client: Client) -> None:
    for _ in range(3):
        castiron_client.nodes.power("n1", "rebooting").wait(LONG_S)
    whole = list(castiron_client.nodes.record("n1"))
    paged = list(castiron_client.nodes.record("n1", page_lines=2))

    assert paged[1:] == whole[1:]
    assert [line["kind"] for line in whole] == ["header", *["event"] * 7, *["request"] * 3]


def test_request_node_and_stream_agree_at_any_number_under_load(
    castiron_conductor: Conductor, castiron_client: Client
) -> None:
    """T7: what is shown at a number is what the events up to that number say."""
    is_over, shown = threading.Event(), list[tuple[NodeView, int, RequestView, int]]()

    def look() -> None:
        with Talking(castiron_conductor.endpoint) as talk:
            while not is_over.is_set():
                latest = latest_ids[-1]
                node, node_seq = talk.ask_with_seq(NodeShow(node="n1"), NodeView, 20)
                request, request_seq = talk.ask_with_seq(RequestShow(request=latest), RequestView, 20)
                shown.append((node, node_seq, request, request_seq))

    latest_ids = [castiron_client.nodes.power("n1", "power on").id]
    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(12):
        castiron_client.requests.wait(latest_ids[-1], LONG_S)
        latest_ids.append(castiron_client.nodes.power("n1", ("rebooting", "power off")[number % 2]).id)
    castiron_client.requests.wait(latest_ids[-1], LONG_S)
    is_over.set()
    watcher.join(20)
    events = list(castiron_client.events(0, nodes=["n1"], follow=False))

    assert len(shown) > 20
    for node, node_seq, request, request_seq in shown:
        check_node(node, node_seq, events)
        check_request(request, request_seq, events)


def check_node(node: NodeView, seq: int, events: list[EventView]) -> None:
    """Check a node against the events: whatever began by its number and ended has ended in it, and so on."""
    changed = [event for event in events if event.type.startswith("node.power_set")]
    begun = {event.request for event in changed if event.seq <= seq and event.type.endswith("start")}
    ended = {event.request for event in changed if event.seq <= seq and not event.type.endswith("start")}
    active = node.active_request
    if active is None or active.state is not RequestState.RUNNING:
        assert node.target_power_state is None
        assert begun <= ended | {event.request for event in changed if event.seq > seq}
    else:
        assert active.id not in ended, "it is shown as running, and its end is older"
        assert node.target_power_state is not None
    assert not (begun - ended) or active is None or active.id in begun | {event.request for event in changed}


def check_request(request: RequestView, seq: int, events: list[EventView]) -> None:
    """Check a request against the events: what has begun by its number is shown as begun, what has ended as ended."""
    kinds = {event.type.rsplit(".", 1)[1]: event.seq for event in events if event.request == request.id}
    if kinds["start"] <= seq:
        assert request.started_at is not None
    if kinds["end"] <= seq:
        assert request.state in FINAL_REQUEST_STATES
