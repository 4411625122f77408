"""Every verb in every state, as the table has it: what is legal is done, what is not leaves no trace."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from castiron.actors.core.effects import Refuse
from castiron.actors.core.messages import Order, Recover
from castiron.actors.core.provision.courses import EVENTS_OF
from castiron.actors.core.provision.states import ABORTS, TRANSITIONS, WORKING
from castiron.actors.core.requests.obstacles import UNDER_WAY
from castiron.actors.steps import StepContext
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import EventType, ProvisionEvent, ProvisionState, ProvisionTarget, RequestState
from tests.support.node_world import World
from tests.support.store_records import plain_node

ROOT = Path(__file__).resolve().parents[4]
AT_REST = [state for state in ProvisionState if state not in UNDER_WAY]
PAIRS = [(state, target) for state, target in product(AT_REST, ProvisionTarget)]
LEGAL = [(state, target) for state, target in PAIRS if (state, EVENTS_OF[target]) in TRANSITIONS]
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]
LED_IDLE = {state for state in AT_REST if (state, ProvisionEvent.ABORT) in {**TRANSITIONS, **ABORTS}}


def at(state: ProvisionState) -> World:
    made = World(record=plain_node(provision_state=state))
    made.tell(Recover())
    return made


def wish(target: ProvisionTarget) -> NodeProvisionSet:
    return NodeProvisionSet(node="n1", target=target, steps=[StepWish(step="twice")])


def test_there_are_pairs_of_both_kinds() -> None:
    assert (len(LEGAL), len(ILLEGAL)) == (33, 110)


@pytest.mark.parametrize(("state", "target"), LEGAL)
def test_what_the_table_has_begins_with_its_permit_and_ends_in_a_state_of_rest(
    state: ProvisionState, target: ProvisionTarget
) -> None:
    made = at(state)
    request = made.submit(wish(target))
    assert (made.record.provision_state, made.told(request)) == (state, [])

    made.grant()

    first = made.told(request)[0]
    assert first.type is EventType.PROVISION_SET_START
    assert first.payload["provision_state"] == TRANSITIONS[state, EVENTS_OF[target]].to
    made.run_until(made.now + 60.0)
    assert made.requests[request].state is RequestState.SUCCEEDED
    assert made.record.provision_state not in UNDER_WAY
    assert (made.record.target_provision_state, made.record.last_error) == (None, None)


@pytest.mark.parametrize(("state", "target"), ILLEGAL)
def test_what_the_table_has_not_is_refused_and_leaves_no_trace(state: ProvisionState, target: ProvisionTarget) -> None:
    made = at(state)
    before = made.record

    request = made.submit(wish(target))

    (answer,) = made.replies[request]
    assert isinstance(answer, Refuse)
    assert answer.error.code == "node.invalid_state"
    assert set(answer.error.details["accepts"]) >= {one.value for at, one in LEGAL if at is state}
    assert (made.record, made.events, made.requests) == (before, [], {})


@pytest.mark.parametrize(("state", "order"), list(product(AT_REST, Order)))
def test_where_nobody_works_only_one_abort_means_something(state: ProvisionState, order: Order) -> None:
    made = at(state)
    before = made.record

    (answer,) = made.replies[made.direct(order)]

    is_led = order is Order.ABORT and state in LED_IDLE
    assert isinstance(answer, Refuse) is not is_led
    assert (made.record == before) is not is_led
    assert [event.type for event in made.events] == [EventType.PROVISION_SET_SUCCESS] * is_led
    assert {ProvisionState.SERVICE_FAILED} == LED_IDLE


def test_a_step_is_given_data_and_an_event_and_no_way_into_the_state_machine() -> None:
    given = {field.name: field.type for field in fields(StepContext)}

    told = given.pop("report")  # an event of its own kind, that moves nothing
    assert told == Callable[[Mapping[str, Any]], None]
    assert {name for name in given if "Callable" in str(given[name])} == set()
    assert given.pop("cancelled") is Event
    assert {str(kind) for kind in given.values()} <= {
        "<class 'str'>",
        "<class 'int'>",
        "collections.abc.Mapping[str, typing.Any]",
        "castiron.transport.vocabulary.units.Instant",
    }


def test_one_module_writes_where_a_node_is() -> None:
    """`provision_state=` as an argument of `record` stands in `moving` alone."""
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "actors").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", "")) in {"record", "recording", "replace"}
        and any(word.arg == "provision_state" for word in call.keywords)
    }

    assert writers == {"actors/core/provision/moving.py"}
    assert WORKING <= UNDER_WAY
