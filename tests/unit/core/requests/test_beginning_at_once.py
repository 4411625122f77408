"""What is accepted and begun at once is one change, and leaves what two would have left."""

import pytest

from castiron.actors.core.effects import Accept, AcquirePermit, CallDriver, Decision
from castiron.actors.core.messages import PermitGranted, Submit
from castiron.actors.core.node import decide
from castiron.actors.core.state import NodeState
from castiron.store.records import Change
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import RequestState
from tests.support.node_settings import SETTINGS
from tests.support.store_records import request_id
from tests.unit.core.node.messages import POWER_ON, world


def both() -> tuple[NodeState, Decision, Decision]:
    """Return a node, the acceptance of a request, and its beginning."""
    node = world()
    message = Submit(request_id=request_id(1), verb=POWER_ON, requester="ipc", reply_to="somebody")
    accepted = decide(node.state, message, node.now, SETTINGS)
    return node.state, accepted, decide(accepted.state, PermitGranted(request_id=request_id(1)), node.now, SETTINGS)


def change_of(decision: Decision) -> Change:
    """Return what is to be on disk."""
    assert decision.change is not None
    return decision.change


def test_one_change_holds_what_two_would_have_left() -> None:
    before, accepted, begun = both()

    together = accepted.with_permit(begun)

    change = change_of(together)
    assert change.node is not None
    assert change.node.record == together.state.record
    assert change.node.record.revision == before.record.revision + 1
    once = replace(begun.state, record=replace(begun.state.record, revision=together.state.record.revision))
    assert together.state == once
    (request,) = change.requests
    assert request.state is RequestState.RUNNING
    assert request == change_of(begun).requests[0]
    assert dict(change.before) == {}  # the request is new: it is inserted
    assert change.events == change_of(accepted).events + change_of(begun).events


def test_it_is_accepted_as_queued_and_asks_for_no_permit() -> None:
    _, accepted, begun = both()

    effects = accepted.with_permit(begun).effects

    (told,) = [effect for effect in effects if isinstance(effect, Accept)]
    assert told.request.state is RequestState.QUEUED
    assert not any(isinstance(effect, AcquirePermit) for effect in effects)
    assert sum(isinstance(effect, CallDriver) for effect in effects) == 1


def test_what_changes_nothing_is_no_part_of_it() -> None:
    _, accepted, begun = both()

    with pytest.raises(ValueError, match="only two changes"):
        accepted.with_permit(Decision(begun.state))
