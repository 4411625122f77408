"""A client moves nodes: the verbs of provisioning as Python programs use them."""

from collections.abc import Iterator

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.provisioning.moves import AnyStep
from castiron.transport.errors import (
    ArgumentInvalid,
    NodeStateInvalid,
    RequestAborted,
    StepFailed,
    StepInvalid,
    StepNotWaiting,
    StepTokenInvalid,
)
from castiron.transport.verbs import StepWish
from tests.protocol.conftest import House

WAIT_S = 20.0


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with Client(house.endpoint, timeout_s=20.0) as one:
        one.nodes.create("n1", driver="fake")
        yield one


def at_work(client: Client) -> str:
    """Have n1 wait for a call back while it is cleaned; return the id of the request."""
    client.provision.set("n1", "manage").wait(WAIT_S)
    return client.provision.set("n1", "clean", steps=["power_off", "wait"]).id


def code_of(client: Client, request: str) -> object:
    """Return why a request failed."""
    return (client.requests.wait(request, WAIT_S).view.error or {})["code"]


def test_a_node_is_moved_and_its_steps_are_told(client: Client) -> None:
    steps: list[AnyStep] = [
        "power_off",
        {"step": "wait", "args": {"seconds": 0.1}},
        StepWish(step="check_bmc", interface="management"),
    ]

    ended = client.provision.set("n1", "manage", steps=steps, engine_mode="parallel").wait(WAIT_S)

    assert client.nodes.show("n1").provision_state == "manageable"
    assert [(step.name, step.state) for step in ended.view.steps] == [
        ("power_off", "success"),
        ("wait", "success"),
        ("check_bmc", "success"),
    ]


def test_a_step_is_named_with_its_interface(client: Client, house: House) -> None:
    client.provision.set("n1", "manage", steps=["management.check_bmc"]).wait(WAIT_S)

    (request,) = house.conductor.requests.values()
    (step,) = request.arguments["steps"]
    assert (step["interface"], step["step"]) == ("management", "check_bmc")


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"stp": "power_on"}, "$.steps[0].stp"),
        ({"step": "power on"}, "$.steps[0].step"),
        ({"step": "power_on", "retries": -1}, "$.steps[0].retries"),
        ({"step": "power_on", "after": "power_off"}, "$.steps[0].after"),
        ("", "$.steps[0].step"),
    ],
)
def test_a_step_that_does_not_fit_is_told_with_its_path(client: Client, house: House, step: object, path: str) -> None:
    with pytest.raises(ArgumentInvalid) as caught:
        client.provision.set("n1", "manage", steps=[step])  # type: ignore[list-item]  # that is the point

    assert caught.value.details["path"] == path
    assert house.conductor.requests == {}


def test_what_the_conductor_refuses_is_raised(client: Client) -> None:
    with pytest.raises(NodeStateInvalid) as misplaced:
        client.provision.set("n1", "deploy")
    with pytest.raises(StepInvalid) as unknown:
        client.provision.set("n1", "manage", steps=["nonsense"])

    assert misplaced.value.details["accepts"] == ["manage"]
    assert unknown.value.details["path"] == "$.steps[0]"


def test_work_is_held_let_go_and_aborted(client: Client) -> None:
    request = at_work(client)

    assert client.provision.hold("n1").provision_state == "clean wait"
    assert client.provision.unhold("n1").provision_state == "clean wait"
    with pytest.raises(NodeStateInvalid):
        client.provision.unhold("n1")
    assert client.provision.abort("n1").provision_state == "clean failed"
    assert code_of(client, request) == RequestAborted.code
    with pytest.raises(NodeStateInvalid):
        client.provision.abort("n1")


def test_whoever_carries_a_step_out_tells_how_it_goes(client: Client, house: House) -> None:
    request = at_work(client)
    token = house.conductor.token_of("n1")

    assert client.provision.step_progress("n1", token, {"percent": 40}).provision_state == "clean wait"
    with pytest.raises(StepTokenInvalid):
        client.provision.step_done("n1", "guessed")
    assert client.provision.step_done("n1", token, result={"erased": True}).provision_state == "manageable"
    with pytest.raises(StepNotWaiting):
        client.provision.step_progress("n1", token)
    assert client.requests.show(request).wait(WAIT_S).view.state == "succeeded"


def test_a_step_that_failed_fails_its_request(client: Client, house: House) -> None:
    request = at_work(client)

    client.provision.step_done("n1", house.conductor.token_of("n1"), error="no disk")

    assert code_of(client, request) == StepFailed.code
    assert client.nodes.show("n1").provision_state == "clean failed"
