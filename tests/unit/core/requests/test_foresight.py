"""What a message would do: told by the decision that would follow, and nothing changes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from castiron.actors.core.effects import Accept, Foretell, Refuse
from castiron.actors.core.messages import Amend, Preview, Remove, SetMaintenance, Submit, Withdraw
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError
from castiron.transport.replies import Forecast
from castiron.transport.verbs import AnyNodeRequest
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, Policy, RequestID, Would
from tests.support.node_world import World
from tests.support.store_records import request_id
from tests.unit.core.node.messages import FREE, POWER_ON, READ_BOOT, SET_PXE, amend, remove, world
from tests.unit.core.requests.asked import OFF_AFTER, POWER_OFF, REBOOT

Asked = Submit | Withdraw | Amend | Remove | SetMaintenance
NEW = request_id(900)


def asked(verb: AnyNodeRequest, requester: str = "ipc") -> Submit:
    return Submit(request_id=NEW, verb=verb, requester=requester, reply_to=None)


def foretold(node: World, message: Asked) -> Forecast | CastironError:
    before = node.state
    decision = node.tell(Preview(message=message, reply_to="asked"))
    assert node.state is before, "nothing changes"
    assert decision.change is None
    (reply,) = decision.effects
    if isinstance(reply, Refuse):
        return reply.error
    assert isinstance(reply, Foretell)
    return reply.forecast


def would(node: World, message: Asked) -> Forecast:
    forecast = foretold(node, message)
    assert isinstance(forecast, Forecast)
    return forecast


def busy() -> tuple[World, RequestID]:
    node = world()
    running = node.submit(POWER_ON)
    node.grant()
    return node, running


def test_on_an_idle_node_it_would_start() -> None:
    forecast = would(world(), asked(POWER_ON))

    assert (forecast.would, forecast.node, forecast.position, forecast.behind) == (Would.START, "n1", 1, None)


def test_behind_another_it_would_queue() -> None:
    node, running = busy()

    forecast = would(node, asked(OFF_AFTER))

    assert (forecast.would, forecast.position, forecast.behind) == (Would.QUEUE, 1, running)
    assert forecast.depends_on == running
    assert f"behind node.power.set, request {running}" in forecast.text


def test_an_equal_one_would_be_merged() -> None:
    node, running = busy()

    forecast = would(node, asked(POWER_ON, "tcp"))

    assert (forecast.would, forecast.request) == (Would.MERGE, running)


def test_what_it_would_supersede_is_named() -> None:
    node, _ = busy()
    waiting = node.submit(OFF_AFTER)

    forecast = would(node, asked(structs.replace(REBOOT, policy=Policy.SUPERSEDE)))

    assert (forecast.would, forecast.ends) == (Would.QUEUE, [waiting])


def test_a_refusal_is_the_same_error() -> None:
    node, running = busy()

    error = foretold(node, asked(POWER_OFF))

    assert isinstance(error, CastironError)
    assert (error.code, error.details["request"]) == ("node.locked", running)


def test_held_it_would_wait_for_the_end_of_the_maintenance() -> None:
    node = world()
    node.tell(SetMaintenance(maintenance=True, requester="ipc", reply_to="set"))

    assert would(node, asked(structs.replace(POWER_ON, hold=True))).would is Would.HOLD
    assert would(node, asked(POWER_ON)).would is Would.START


def test_fresh_it_would_look_first() -> None:
    assert would(world(), asked(structs.replace(POWER_ON, fresh=True))).would is Would.LOOK


def test_withdrawals_say_what_would_become_of_the_request() -> None:
    node, running = busy()
    waiting = node.submit(OFF_AFTER)

    def of(request: RequestID, requester: str = "ipc", *, is_abort: bool = False) -> Forecast:
        return would(node, Withdraw(request_id=request, is_abort=is_abort, requester=requester, reply_to=None))

    assert (of(waiting).would, of(waiting).ends) == (Would.CANCEL, [waiting])
    assert (of(running, is_abort=True).would, of(running, is_abort=True).ends) == (Would.ABORT, [running])
    node.submit(OFF_AFTER, "tcp")
    assert (of(waiting).would, of(waiting).ends) == (Would.WITHDRAW, [])


def test_changes_name_the_fields_and_the_requests_that_they_would_end() -> None:
    node, _ = busy()
    waiting = node.submit(OFF_AFTER)
    maintain = SetMaintenance(maintenance=True, reason="fan", requester="ipc", reply_to=None)

    forecast = would(node, maintain)
    assert (forecast.would, forecast.changed) == (Would.CHANGE, ["maintenance", "maintenance_reason"])
    assert forecast.ends == [waiting]
    assert would(node, amend(FREE)).changed == ["extra"]
    assert would(node, SetMaintenance(maintenance=False, requester="ipc", reply_to=None)).would is Would.NOTHING


def test_a_deletion_names_what_it_would_end() -> None:
    node, running = busy()
    error = foretold(node, remove())

    assert isinstance(error, CastironError)
    assert error.code == "node.locked"
    forecast = would(node, remove(force=True))
    assert (forecast.would, forecast.ends) == (Would.DELETE, [running])
    assert not node.is_removed


@pytest.mark.parametrize("ask", [lambda: READ_BOOT, lambda: SET_PXE])
def test_every_verb_of_a_request_can_be_foretold(ask: Callable[[], AnyNodeRequest]) -> None:
    assert would(world(), asked(ask())).would is Would.START


VERBS = st.sampled_from([POWER_ON, POWER_OFF, REBOOT, READ_BOOT, SET_PXE])
TERMS = st.fixed_dictionaries(
    {"policy": st.sampled_from(Policy), "hold": st.booleans(), "again": st.booleans(), "fresh": st.booleans()}
)


def on_terms(verb: AnyNodeRequest, terms: dict[str, Any]) -> AnyNodeRequest:
    return structs.replace(verb, **terms)


ASKED = st.builds(on_terms, VERBS, TERMS)


@given(st.lists(ASKED, max_size=6), st.booleans(), st.booleans(), ASKED)
def test_what_was_foretold_is_what_then_happens(
    before: list[AnyNodeRequest], is_granted: bool, is_in_maintenance: bool, verb: AnyNodeRequest
) -> None:
    node = world()
    for one in before:
        node.submit(one)
        if is_granted:
            node.grant()
    if is_in_maintenance:
        node.tell(SetMaintenance(maintenance=True, requester="ipc", reply_to="set"))
    ended: set[RequestID] = {one.id for one in node.requests.values() if one.state in FINAL_REQUEST_STATES}

    forecast = foretold(node, asked(verb))
    decision = node.tell(asked(verb))
    accepted: list[RequestRecord] = [one.request for one in decision.effects if isinstance(one, Accept)]

    if isinstance(forecast, CastironError):
        (refusal,) = (one.error for one in decision.effects if isinstance(one, Refuse))
        assert (refusal.code, refusal.details) == (forecast.code, forecast.details)
    elif forecast.would is Would.LOOK:
        assert accepted == []
        assert len(node.state.parked) == 1 + sum(one.reply_to is not None for one in node.state.parked)
    elif forecast.would is Would.MERGE:
        assert [one.id for one in accepted] == [forecast.request]
    else:
        (request,) = accepted
        assert [one.id for one in node.state.queue].index(NEW) + 1 == forecast.position == len(node.state.queue)
        assert (request.depends_on, node.state.is_held(request)) == (forecast.depends_on, forecast.would is Would.HOLD)
        assert (forecast.would is Would.START) == (node.state.permit == NEW)
        now_ended = {one.id for one in node.requests.values() if one.state in FINAL_REQUEST_STATES}
        assert now_ended - ended == set(forecast.ends)
