"""Nothing before it starts (R3-1 … R3-4): what waits for a permit, or can't start, leaves no trace in its node."""

import pytest

from castiron.transport.errors import NodeStateInvalid
from castiron.transport.vocabulary import EventType
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import ENDS, NOTHING, START, Story, standing

FROM = {
    "manage": "enroll",
    "provide": "manageable",
    "inspect": "manageable",
    "adopt": "manageable",
    "clean": "manageable",
    "deploy": "available",
    "undeploy": "active",
    "rebuild": "active",
    "rescue": "active",
    "unrescue": "rescue",
    "service": "active",
}
"""What is asked for → where from."""


def check_nothing_shows(story: Story, target: str) -> None:
    """Ask for a move while another node holds the only permit, look, and let both go on."""
    before = story.node("n1", FROM[target])
    story.node("holder")
    holder = story.move("holder", "deploy", ["wait"])
    token = story.token("holder")
    told = story.told("n1")

    waits = story.move("n1", target, NOTHING)
    until(lambda: story.client.requests.show(waits.id).view.position == 1)

    node = story.show("n1")
    assert standing(node) == standing(before)
    assert (node.last_error, node.target_power_state) == (before.last_error, None)
    assert node.active_request is None
    assert [one.id for one in node.queued_requests] == [waits.id]
    assert story.told("n1") == told
    assert story.client.provision.steps("n1").request is None

    story.client.provision.step_done("holder", token)
    story.ended(holder)
    story.ended(waits)
    assert [kind for kind in story.kinds(waits) if kind in (START, *ENDS)] == [START, EventType.PROVISION_SET_END]


@pytest.mark.parametrize("target", FROM)
def test_what_waits_for_the_only_permit_leaves_its_node_untouched(begin: Begin, target: str) -> None:
    check_nothing_shows(begin(max_running_actions=1), target)


def test_what_waits_for_the_only_place_among_deployments_leaves_its_node_untouched(begin: Begin) -> None:
    check_nothing_shows(begin(max_concurrent_deploy=1), "deploy")


def test_the_bound_of_deployments_holds_nobody_else_up(begin: Begin) -> None:
    story = begin(max_concurrent_deploy=1)
    story.node("holder")
    story.node("n1", "manageable")
    holder = story.move("holder", "deploy", ["wait"])
    token = story.token("holder")

    story.ended(story.move("n1", "clean", NOTHING))
    story.ended(story.client.nodes.power("n1", "power on"))

    story.client.provision.step_done("holder", token)
    story.ended(holder)


def test_what_is_cancelled_before_it_starts_leaves_no_trace_in_its_node(begin: Begin) -> None:
    story = begin(max_running_actions=1)
    before = story.node("n1")
    story.node("holder")
    holder = story.move("holder", "deploy", ["wait"])
    token = story.token("holder")
    waits = story.move("n1", "deploy", NOTHING)

    waits.cancel()

    node = story.show("n1")
    assert (standing(node), node.last_error) == (standing(before), before.last_error)
    assert story.kinds(waits) == [EventType.REQUEST_END]
    story.client.provision.step_done("holder", token)
    story.ended(holder)


def test_what_the_state_does_not_allow_any_more_when_its_turn_comes_leaves_no_trace(story: Story) -> None:
    story.node("n1")
    first = story.move("n1", "deploy", ["wait"])
    second = story.move("n1", "service", NOTHING, policy="after")
    story.client.provision.step_done("n1", story.token("n1"), error="the disk is gone")

    story.ended(first, "failed")
    story.ended(second, "failed")

    node = story.show("n1")
    assert standing(node) == ("deploy failed", "active")
    assert node.last_error == "the disk is gone"
    assert story.kinds(second) == [EventType.REQUEST_END]


def test_what_the_state_does_not_allow_is_refused_and_leaves_no_trace(story: Story) -> None:
    before, told = story.node("n1"), story.told("n1")

    with pytest.raises(NodeStateInvalid) as refusal:
        story.move("n1", "rescue")

    assert refusal.value.details["provision_state"] == "available"
    assert set(refusal.value.details["accepts"]) == {"deploy", "manage"}
    assert story.show("n1") == before
    assert story.told("n1") == told


def test_the_start_is_committed_with_the_state_before_the_first_step(story: Story) -> None:
    story.node("n1")

    request = story.ended(story.move("n1", "deploy", ["power_on"]))

    start, *_ = events = [event for event in story.told("n1") if event.request == request.id]
    assert [event.type for event in events] == [
        START,
        EventType.STEP_START,
        EventType.STEP_END,
        EventType.PROVISION_SET_END,
    ]
    assert (start.payload["previous_provision_state"], start.payload["provision_state"]) == ("available", "deploying")
    assert start.at <= events[1].at
    assert [event.node_seq for event in events] == list(range(events[0].node_seq or 0, (events[0].node_seq or 0) + 4))
