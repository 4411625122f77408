"""Taking a request back: certain while it waits, with a last look at the machine once it runs."""

from msgspec import structs

from castiron.transport.vocabulary import (
    Applied,
    EventType,
    PowerState,
    RequestState,
)
from tests.support.weather import Fate, Gust
from tests.unit.core.node.messages import DEAD, POWER_ON, refusal, types, world
from tests.unit.core.requests.asked import answered, error_of


def test_what_waits_is_cancelled_for_certain() -> None:
    node = world()
    request = node.submit(POWER_ON)

    ended = answered(node, node.withdraw(request))

    assert (ended.state, ended.applied) == (RequestState.CANCELLED, Applied.NO)
    assert error_of(node, request).code == "request.cancelled"
    assert types(node, request) == ["node.request.end"]
    node.drain()
    assert node.machine.arrived == []
    node.check_ended()


def test_what_has_started_is_not_cancelled() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    assert refusal(node, node.withdraw(request)).code == "request.started"
    node.drain()
    assert node.requests[request].state is RequestState.SUCCEEDED


def test_what_has_ended_is_neither_cancelled_nor_aborted() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.drain()

    assert refusal(node, node.withdraw(request)).code == "request.ended"
    assert refusal(node, node.withdraw(request, is_abort=True)).code == "request.ended"


def test_one_of_several_withdraws_and_the_request_goes_on_for_the_others() -> None:
    node = world()
    request = node.submit(structs.replace(POWER_ON, deadline_at=node.now + 9))
    node.submit(POWER_ON, "tcp")

    left = answered(node, node.withdraw(request, "tcp"))

    assert (left.state, list(left.wanted_by), left.deadline_at) == (RequestState.QUEUED, ["ipc"], node.now + 9)
    assert answered(node, node.withdraw(request, "ipc")).state is RequestState.CANCELLED


def test_a_stranger_ends_what_others_want_only_by_force() -> None:
    node = world()
    request = node.submit(POWER_ON)

    error = refusal(node, node.withdraw(request, "stranger"))
    assert (error.code, error.details["requesters"]) == ("request.not_yours", ["ipc"])
    assert "is wanted by ipc; you do not; it goes on" in error.message

    assert answered(node, node.withdraw(request, "stranger", force=True)).state is RequestState.CANCELLED


def test_an_abort_ends_a_wait_with_a_last_look_at_the_machine() -> None:
    node = world(PowerState.OFF, Gust(), Gust(), Gust(Fate.CARRIED_OUT, effect_after_s=60.0))
    request = node.submit(POWER_ON)
    node.grant()
    while node.state.active is not None and node.state.active.wake is None:
        node.advance()

    node.withdraw(request, is_abort=True)
    began = node.now
    while node.state.active is not None:
        node.advance()

    error = error_of(node, request)
    assert (error.code, error.details["power_state"]) == ("request.aborted", node.machine.power)
    assert node.now - began <= node.settings.command_timeout_s
    assert types(node, request) == ["node.power_set.start", "node.power_set.error"]
    node.drain()
    node.check_ended()


def test_an_abort_waits_for_the_exchange_that_is_under_way_and_no_longer() -> None:
    node = world(PowerState.OFF, Gust(), DEAD, afterwards=DEAD)
    request = node.submit(POWER_ON)
    node.grant()
    node.advance()
    assert [call for call, _ in node.calls.values()] != []  # the control is on its way, and its BMC silent

    node.withdraw(request, is_abort=True)
    began = node.now
    while node.state.active is not None:
        node.advance()

    error = error_of(node, request)
    assert (error.code, error.applied, error.details["power_state"]) == ("request.aborted", Applied.UNKNOWN, None)
    assert node.now - began <= node.settings.command_timeout_s + 0.25
    node.drain()
    node.check_ended()


def test_an_abort_that_comes_too_late_finds_a_success() -> None:
    node = world(PowerState.ON)
    request = node.submit(POWER_ON)
    node.grant()

    node.withdraw(request, is_abort=True)
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


def test_an_abort_is_on_disk_before_anything_is_done_and_a_successor_ends_it() -> None:
    node = world(PowerState.OFF, afterwards=DEAD)
    request = node.submit(POWER_ON)
    node.grant()
    node.withdraw(request, is_abort=True)
    assert node.requests[request].abort_by == "ipc"

    node.crash()

    assert (node.requests[request].state, error_of(node, request).code) == (RequestState.FAILED, "request.aborted")
    node.drain()
    assert node.machine.arrived == []
    node.check_ended()


def test_an_abort_of_what_is_to_be_taken_up_again_ends_it_at_once() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    node.crash()

    node.withdraw(request, is_abort=True)

    assert error_of(node, request).code == "request.aborted"
    node.drain()
    node.check_ended()


def test_an_abort_of_what_waits_cancels_it() -> None:
    node = world()
    request = node.submit(POWER_ON)

    assert answered(node, node.withdraw(request, is_abort=True)).state is RequestState.CANCELLED


def test_the_end_of_an_unstarted_request_is_an_event_that_names_it() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.withdraw(request)

    (event,) = node.told(request)

    assert event.type is EventType.REQUEST_END
    assert event.payload == {
        "verb": "node.power.set",
        "state": "cancelled",
        "requester": "ipc",
        "error": node.requests[request].error,
    }
