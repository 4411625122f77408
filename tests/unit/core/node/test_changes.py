"""A node is changed, renamed and put into maintenance, busy or not."""

import pytest

from castiron.actors.core.effects import (
    AnswerNode,
    Renew,
    TellFleet,
)
from castiron.actors.core.messages import Amendment
from castiron.transport.errors import NodeLocked, RevisionStale
from castiron.transport.vocabulary import EventType, NodeName, RequestState
from tests.support.store_records import PASSWORD
from tests.unit.core.node.messages import FREE, NEW_INFO, POWER_ON, amend, maintain, refusal, world


def test_attributes_change_while_the_node_is_busy() -> None:
    node = world()
    node.submit(POWER_ON)

    node.tell(amend(FREE))

    assert node.record.extra == {"rack": "r1"}
    assert node.effects == [TellFleet(applied=True), AnswerNode("asked")]
    assert node.events[-1].payload == {
        "changed": ["extra"],
        "changes": {"extra.rack": {"from": None, "to": "r1"}},
        "requester": "ipc",
    }


@pytest.mark.parametrize(
    "amendment", [Amendment(driver="socket"), Amendment(name=NodeName("new"), driver_info=NEW_INFO)]
)
def test_the_way_to_the_bmc_does_not_change_while_the_node_is_busy(amendment: Amendment) -> None:
    node = world()
    node.submit(POWER_ON)

    node.tell(amend(amendment))

    assert isinstance(refusal(node, "asked"), NodeLocked)
    assert node.effects[0] == TellFleet(applied=False)


def test_a_map_that_became_another_one_meanwhile_is_not_written_over() -> None:
    node = world(properties={"fru": "found"})
    made_of_less = Amendment(attributes={"properties": {"rack": "r1"}}, merged_into={"properties": {}})

    node.tell(amend(made_of_less))

    assert isinstance(refusal(node, "asked"), NodeLocked)
    assert node.effects[0] == TellFleet(applied=False)
    assert node.record.properties == {"fru": "found"}


def test_a_new_name_is_told_with_the_previous_one() -> None:
    node = world()

    node.tell(amend(Amendment(name=NodeName("new"))))

    assert node.record.name == "new"
    assert node.events[0].node_name == "new"
    assert node.events[0].payload == {
        "changed": ["name"],
        "changes": {"name": {"from": "n1", "to": "new"}},
        "requester": "ipc",
        "previous_name": "n1",
    }


def test_new_driver_info_drops_the_session_and_tells_no_secret() -> None:
    node = world()

    node.tell(amend(Amendment(driver="socket", driver_info=NEW_INFO)))

    assert node.effects == [Renew(), TellFleet(applied=True), AnswerNode("asked")]
    assert (node.record.driver, node.record.driver_info) == ("socket", NEW_INFO.info)
    assert (node.record.secret_keys, node.record.bmc_address) == (frozenset(), "127.0.0.2:623")
    assert node.events[0].payload["changed"] == ["bmc_address", "driver", "driver_info"]
    assert PASSWORD not in repr(node.events)


def test_a_change_of_nothing_writes_nothing_and_announces_nothing() -> None:
    node = world(extra={"rack": "r1"})

    decision = node.tell(amend(FREE))

    assert decision.change is None
    assert node.effects == [TellFleet(applied=True), AnswerNode("asked")]


def test_a_change_for_another_revision_is_refused() -> None:
    node = world(revision=4)

    node.tell(amend(FREE, revision=3))

    error = refusal(node, "asked")
    assert isinstance(error, RevisionStale)
    assert error.message == "n1 has changed: its revision is 4, not 3. Read it again and decide anew."
    assert error.details == {"node": "n1", "have": 4, "want": 3}


def test_a_change_for_this_revision_is_made() -> None:
    node = world(revision=4)

    node.tell(amend(FREE, revision=4))

    assert node.record.revision == 5


def test_a_node_is_renamed_while_a_request_is_under_way_which_keeps_its_words() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.tell(amend(Amendment(name=NodeName("new"))))
    node.drain()

    assert (node.record.name, node.requests[request].node_name) == ("new", "n1")
    assert [event.node_name for event in node.events] == ["n1", "new", "new"]
    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


def test_maintenance_is_set_in_one_commit_while_a_request_is_under_way() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.tell(maintain(reason="fan broken"))

    assert (node.record.maintenance, node.record.maintenance_reason) == (True, "fan broken")
    assert node.effects == [AnswerNode("asked")]
    assert node.events[-1].type is EventType.MAINTENANCE_SET_END
    assert node.events[-1].payload == {
        "requester": "ipc",
        "maintenance": True,
        "reason": "fan broken",
        "previous_maintenance": False,
        "previous_reason": None,
        "previous_fault": None,
    }
    node.drain()
    assert node.requests[request].state is RequestState.SUCCEEDED
    assert node.record.maintenance
