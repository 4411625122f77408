"""Pages of the list of nodes: complete, in order, and the same however the fleet changes between two of them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view
from castiron.actors.published.board import Board
from castiron.actors.published.listing import Listing
from castiron.store.records import NodeRecord
from castiron.transport.errors import ArgumentInvalid, NodeNotFound
from castiron.transport.replies import NodeView
from castiron.transport.selection.conditions import Condition, Op
from castiron.transport.verbs import NodeList
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, NodeUUID, PowerState
from tests.support.memory_listing import listed
from tests.support.store_records import PASSWORD, plain_node

NOW = Instant(9000.0)


class Fleet:
    """Nodes on a board, to be changed while they are listed."""

    def __init__(self) -> None:
        self.board = Board(max_waiters=1, seq=EventSeq(0))
        self.records: dict[int, NodeRecord] = {}
        self.eased = 0

    def ease(self) -> None:
        self.eased += 1

    def put(self, number: int, **fields: Any) -> None:
        known = self.records.get(number)
        uuid = NodeUUID(f"{number * 7919 % 1000:08d}-0000-4000-8000-000000000001")
        record = replace(known, **fields) if known else plain_node(uuid=uuid, name=NodeName(f"n{number}"), **fields)
        self.records[number] = record
        state = NodeState(record=record)
        if known is None:
            self.board.admit(state, EventSeq(0), generation=1)
        else:
            self.board.publish(state, EventSeq(0), generation=1)

    def drop(self, number: int) -> None:
        self.board.remove(self.records.pop(number).uuid, EventSeq(0))

    @property
    def views(self) -> list[NodeView]:
        return [node_view(published.state, NOW) for published in self.board.nodes()]

    def page(self, verb: NodeList) -> tuple[list[NodeView], str | None]:
        page = Listing(verb, self.board, self.ease).page(NOW)
        return page.nodes, page.next_marker


RACKS = st.sampled_from([None, "r1", "r2", 7, 7.5, True, ["r1"], {"a": 1}])
NODES = st.dictionaries(st.integers(0, 30), RACKS, max_size=14)
SORTS = st.sampled_from([None, "name", "uuid", "extra.rack", "power_state", "created_at"])
WHERE = st.sampled_from(
    [
        [],
        [Condition(field="extra.rack", value="r1")],
        [Condition(field="extra.rack", op=Op.UNEQUAL, value=None)],
        [Condition(field="name", op=Op.LIKE, value="n1*"), Condition(field="extra.rack", value=7)],
    ]
)


def fleet_of(nodes: dict[int, Any]) -> Fleet:
    fleet = Fleet()
    for number, rack in nodes.items():
        power = [PowerState.ON, PowerState.OFF, None][number % 3]
        fleet.put(number, extra={"rack": rack}, power_state=power, created_at=Instant(float(number)))
    return fleet


ORDERS = st.builds(NodeList, where=WHERE, sort=SORTS, descending=st.booleans(), limit=st.integers(1, 5))


@given(NODES, ORDERS, st.data())
@settings(deadline=None)
def test_each_page_is_what_a_naive_list_has(nodes: dict[int, Any], order: NodeList, data: st.DataObject) -> None:
    fleet = fleet_of(nodes)
    known = sorted(str(record.name) for record in fleet.records.values())
    names = data.draw(st.none() | (st.lists(st.sampled_from(known)) if known else st.just([])))
    marker: str | None = None
    for _ in range(len(nodes) + 1):
        verb = structs.replace(order, nodes=names, marker=marker)
        among = fleet.views if names is None else [view for view in fleet.views if view.name in names]
        found, following = fleet.page(verb)
        wanted = listed(among, verb)
        assert [view.name for view in found] == [view.name for view in wanted.nodes]
        assert following == wanted.next_marker
        if following is None:
            return
        marker = following
    raise AssertionError("the pages do not come to an end")


@given(NODES, st.sampled_from(["uuid", "created_at"]), st.booleans(), st.integers(1, 4), st.data())
@settings(deadline=None)
def test_who_is_there_all_the_time_is_listed_once_whatever_happens_between_the_pages(
    nodes: dict[int, Any], sort: str, descending: bool, limit: int, data: st.DataObject
) -> None:
    fleet = fleet_of(nodes)
    stayed = {record.uuid for record in fleet.records.values()}
    met: list[str] = []
    marker: str | None = None
    while True:
        verb = NodeList(sort=sort, descending=descending, limit=limit, marker=marker)
        found, marker = fleet.page(verb)
        met += [view.uuid for view in found]
        if marker is None:
            break
        what = data.draw(st.sampled_from(["create", "rename", "delete", "change"]))
        number = (
            data.draw(st.integers(31, 60)) if what == "create" else data.draw(st.sampled_from(sorted(fleet.records)))
        )
        if what == "create":
            fleet.put(number, created_at=Instant(float(number)))
        elif what == "rename":
            fleet.put(number, name=NodeName(f"x{len(met)}-{number}"))
        elif what == "change":
            fleet.put(number, power_state=PowerState.ON, extra={"rack": "r9"})
        elif len(fleet.records) > 1:
            stayed.discard(fleet.records[number].uuid)
            fleet.drop(number)

    assert len(met) == len(set(met))
    assert stayed <= set(met)


@given(NODES, st.integers(1, 4), st.data())
@settings(deadline=None)
def test_who_keeps_its_name_is_listed_once_by_name(nodes: dict[int, Any], limit: int, data: st.DataObject) -> None:
    fleet = fleet_of(nodes)
    stayed = set(fleet.records)
    met: list[str] = []
    marker: str | None = None
    while True:
        found, marker = fleet.page(NodeList(limit=limit, marker=marker))
        met += [view.name for view in found]
        if marker is None:
            break
        number = data.draw(st.integers(31, 60))
        if number in fleet.records:
            fleet.drop(number)
        else:
            fleet.put(number)

    assert [name for name in met if int(name[1:]) in stayed] == sorted(f"n{number}" for number in stayed)


def secret_fleet() -> Fleet:
    fleet = Fleet()
    fleet.put(1)
    fleet.put(2, driver_info={"ipmi_password": PASSWORD}, secret_keys=frozenset({"ipmi_password"}))
    return fleet


@pytest.mark.parametrize("value", [PASSWORD, "******", None, "wrong"])
@pytest.mark.parametrize("op", [Op.EQUAL, Op.UNEQUAL])
def test_nothing_is_told_about_a_secret(op: Op, value: str | None) -> None:
    verb = NodeList(where=[Condition(field="driver_info.ipmi_password", op=op, value=value)])

    with pytest.raises(ArgumentInvalid) as refused:
        secret_fleet().page(verb)

    assert refused.value.details == {"path": "$.where[0].field"}
    assert refused.value.message == (
        "driver_info.ipmi_password is a secret: nodes are neither chosen nor sorted by it. Use another field."
    )


def test_nothing_is_sorted_by_a_secret() -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        secret_fleet().page(NodeList(sort="driver_info.ipmi_password"))

    assert refused.value.details == {"path": "$.sort"}


def test_unknown_names_are_told_all_at_once_but_not_without_end() -> None:
    names = [f"x{number}" for number in range(25)]

    with pytest.raises(NodeNotFound, match=r"There are no nodes x0, x1, .*x19, …\. ") as refused:
        fleet_of({1: None}).page(NodeList(nodes=["n1", *names]))

    assert "x20" not in refused.value.message


@pytest.mark.parametrize(
    ("verb", "pauses"),
    [
        (NodeList(limit=300), 3),
        (NodeList(limit=100), 1),
        (NodeList(limit=300, where=[Condition(field="driver", value="ipmi")]), 4),
        (NodeList(limit=1, where=[Condition(field="driver", value="none such")]), 2),
    ],
    ids=["views", "few views", "conditions and views", "conditions"],
)
def test_while_a_long_page_is_made_others_come_first_now_and_then(verb: NodeList, pauses: int) -> None:
    fleet = Fleet()
    for number in range(400):
        fleet.put(number)

    fleet.page(verb)

    assert fleet.eased == pauses
