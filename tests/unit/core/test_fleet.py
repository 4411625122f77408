"""What concerns more than one node: names, BMC addresses, and what a change of a node amounts to."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from castiron.actors.core.fleet import Checker, FleetIndex, Identity, Newcomer, judge_create, judge_set
from castiron.actors.core.messages import Amendment
from castiron.actors.drivers.base import DriverInfo
from castiron.actors.drivers.fields import Field, checked, secrets, text
from castiron.actors.drivers.ipmi.settings import check as check_ipmi
from castiron.store.records import NodeRecord
from castiron.transport.errors import ArgumentInvalid, BMCAddressTaken, NodeExists, NodeLocked
from castiron.transport.replies import MASK
from castiron.transport.verbs import NodeCreate, NodeSet
from castiron.transport.vocabulary import Instant, NodeName, NodeUUID
from tests.support.store_records import OWNER, node_uuid, plain_node

PASSWORD = "hush-hush"
NEWCOMER = Newcomer(uuid=node_uuid(9), owner=OWNER, now=Instant(5000.0))


class IPMI:
    """What the fleet needs of the ipmi driver."""

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        return check_ipmi(driver_info)


class Socket:
    """A driver with other words, and no address of a BMC."""

    FIELDS: Mapping[str, Field] = {"ipmi_address": Field(text(99)), "pin": Field(text(9), secret=True)}

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        info = checked(self.FIELDS, driver_info)
        return DriverInfo(info=info, secret_keys=secrets(self.FIELDS), bmc_address=None)


DRIVERS: Mapping[str, Checker] = {"ipmi": IPMI(), "socket": Socket()}


def info(address: str = "127.0.0.9", **more: Any) -> dict[str, Any]:
    return {"ipmi_address": address, **more}


def known(number: int = 1, **changes: Any) -> NodeRecord:
    """A node as the ipmi driver has checked it."""
    given = DRIVERS["ipmi"].check(info(f"127.0.0.{number}", ipmi_password=PASSWORD))
    changes = {
        "driver_info": given.info,
        "secret_keys": given.secret_keys,
        "bmc_address": given.bmc_address,
        **changes,
    }
    return plain_node(number, **changes)


def identity_of(record: NodeRecord) -> Identity:
    return Identity(record.name, record.bmc_address)


def index_of(*records: NodeRecord) -> FleetIndex:
    index = FleetIndex()
    for record in records:
        index.add(record.uuid, identity_of(record))
    return index


# Creating.


def test_a_new_node_has_what_was_asked_for_and_its_circumstances() -> None:
    verb = NodeCreate(
        name="n9",
        driver_info=info(ipmi_port="6230", ipmi_password=PASSWORD),
        properties={"cpus": 8},
        extra={"rack": "r1"},
        power_state_change_timeout_s=5.0,
        soft_power_off_timeout_s=7.0,
    )

    record = judge_create(index_of(known(1)), verb, NEWCOMER, DRIVERS)

    assert (record.uuid, record.owner, record.created_at, record.updated_at) == (NEWCOMER.uuid, OWNER, 5000.0, 5000.0)
    assert (record.name, record.driver, record.revision, record.node_seq) == ("n9", "ipmi", 1, 0)
    assert record.driver_info == info(ipmi_port=6230, ipmi_password=PASSWORD)
    assert "ipmi_password" in record.secret_keys
    assert record.bmc_address == "127.0.0.9:6230"
    assert (record.properties, record.extra) == ({"cpus": 8}, {"rack": "r1"})
    assert (record.power_state_change_timeout_s, record.soft_power_off_timeout_s) == (5.0, 7.0)


def test_driver_info_that_is_nil_was_not_given() -> None:
    record = judge_create(FleetIndex(), NodeCreate(name="n9", driver_info=info(ipmi_port=None)), NEWCOMER, DRIVERS)

    assert record.driver_info == info()


def test_an_unknown_driver_is_told_with_those_there_are() -> None:
    with pytest.raises(ArgumentInvalid, match=r"^There is no driver 'impi'\. There are: ipmi, socket\.$") as caught:
        judge_create(FleetIndex(), NodeCreate(name="n9", driver="impi"), NEWCOMER, DRIVERS)

    assert caught.value.details == {"path": "$.driver"}


def test_a_name_that_another_node_has_is_refused() -> None:
    with pytest.raises(NodeExists) as caught:
        judge_create(index_of(known(1)), NodeCreate(name="n1", driver_info=info()), NEWCOMER, DRIVERS)

    assert caught.value.message == "Another node is called n1. Choose another name."
    assert caught.value.details == {"name": "n1", "uuid": node_uuid(1)}


def test_a_name_that_could_be_a_uuid_is_refused() -> None:
    with pytest.raises(ArgumentInvalid, match="it looks like a uuid") as caught:
        judge_create(FleetIndex(), NodeCreate(name=node_uuid(1).upper(), driver_info=info()), NEWCOMER, DRIVERS)

    assert caught.value.details == {"path": "$.name"}


def test_a_bmc_address_that_another_node_has_is_refused_unless_forced() -> None:
    index = index_of(known(1))
    verb = NodeCreate(name="n9", driver_info=info("127.0.0.1"))

    with pytest.raises(BMCAddressTaken, match=r"^Node n1 has the BMC address 127\.0\.0\.1:623 already") as caught:
        judge_create(index, verb, NEWCOMER, DRIVERS)
    forced = judge_create(index, NodeCreate(name="n9", driver_info=verb.driver_info, force=True), NEWCOMER, DRIVERS)

    assert caught.value.details == {"address": "127.0.0.1:623", "node": "n1", "uuid": node_uuid(1)}
    assert forced.bmc_address == "127.0.0.1:623"


def test_a_mask_is_never_stored_in_place_of_a_secret() -> None:
    with pytest.raises(ArgumentInvalid, match="stands for a secret that is stored, and none is") as caught:
        judge_create(FleetIndex(), NodeCreate(name="n9", driver_info=info(ipmi_password=MASK)), NEWCOMER, DRIVERS)

    assert caught.value.details == {"path": "$.driver_info.ipmi_password"}


# Changing.


def judged(verb: NodeSet, record: NodeRecord | None = None, index: FleetIndex | None = None) -> Amendment:
    record = record or known(1)
    return judge_set(index or index_of(record), verb, record, DRIVERS)[0]


def test_a_change_of_nothing_changes_nothing() -> None:
    amendment = judged(NodeSet(node="n1"))

    assert amendment == Amendment()
    assert not amendment.is_way_to_bmc
    assert amendment.changes(known(1)) == {}


def test_maps_are_merged_and_nil_removes() -> None:
    record = known(1, properties={"cpus": 8, "arch": "x86"}, extra={"rack": "r1"})

    amendment = judged(NodeSet(node="n1", properties={"cpus": None, "memory": 64}, extra={"rack": "r2"}), record)

    assert amendment.changes(record) == {"properties": {"arch": "x86", "memory": 64}, "extra": {"rack": "r2"}}
    assert not amendment.is_way_to_bmc


def test_many_small_changes_do_not_make_a_node_that_no_single_one_could() -> None:
    record = known(1, properties={"a": "x" * 30_000}, extra={"b": "x" * 30_000})

    assert judged(NodeSet(node="n1", extra={"c": "x" * 5_000}), record).changes(record)
    for more in (NodeSet(node="n1", extra={"c": "x" * 6_000}), NodeSet(node="n1", properties={"é": "é" * 3_000})):
        with pytest.raises(ArgumentInvalid, match="limit is 65536") as caught:
            judged(more, record)
        assert caught.value.details["path"] in {"$.extra", "$.properties"}


def test_a_node_that_is_too_large_may_shrink() -> None:
    record = known(1, properties={"a": "x" * 80_000}, extra={"b": "x" * 80_000})

    assert judged(NodeSet(node="n1", extra={"b": None}), record).changes(record) == {"extra": {}}
    assert judged(NodeSet(node="n1", extra={"b": "y" * 79_000}), record).changes(record)


def test_timeouts_are_replaced_and_nil_means_the_conductors() -> None:
    record = known(1, power_state_change_timeout_s=5.0)

    amendment = judged(NodeSet(node="n1", power_state_change_timeout_s=None, soft_power_off_timeout_s=9.0), record)

    assert amendment.changes(record) == {"power_state_change_timeout_s": None, "soft_power_off_timeout_s": 9.0}


def test_a_new_name_leaves_the_way_to_the_bmc_alone_and_its_own_name_is_no_change() -> None:
    renamed = judged(NodeSet(node="n1", name="new"))

    assert renamed == Amendment(name=NodeName("new"))
    assert not renamed.is_way_to_bmc
    assert judged(NodeSet(node="n1", name="n1")) == Amendment()


@pytest.mark.parametrize(("name", "error"), [("n2", NodeExists), (node_uuid(7), ArgumentInvalid)])
def test_a_rename_is_judged_as_a_creation(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        judged(NodeSet(node="n1", name=name), index=index_of(known(1), known(2)))


def test_driver_info_is_merged_and_a_mask_means_as_it_is() -> None:
    record = known(1)

    amendment = judged(NodeSet(node="n1", driver_info={"ipmi_password": MASK, "ipmi_port": 6230}), record)

    assert amendment.changes(record) == {
        "driver_info": info("127.0.0.1", ipmi_password=PASSWORD, ipmi_port=6230),
        "bmc_address": "127.0.0.1:6230",
    }
    assert amendment.is_way_to_bmc
    assert amendment.merged_into == {"driver_info": record.driver_info}


def test_a_mask_in_place_of_something_open_is_taken_as_it_stands() -> None:
    amendment = judged(NodeSet(node="n1", driver_info={"ipmi_username": MASK}))

    assert amendment.driver_info is not None
    assert amendment.driver_info.info["ipmi_username"] == MASK


def test_a_mask_for_a_secret_that_is_not_stored_is_refused() -> None:
    record = known(1, driver="socket", driver_info=info("a"), secret_keys=frozenset(), bmc_address=None)

    with pytest.raises(ArgumentInvalid, match="pin: "):
        judged(NodeSet(node="n1", driver_info={"pin": MASK}), record)


def test_another_driver_checks_what_is_there_and_what_is_given() -> None:
    record = known(1)

    amendment = judged(NodeSet(node="n1", driver="socket", driver_info={"ipmi_password": None, "pin": "1"}), record)

    assert amendment.changes(record) == {
        "driver": "socket",
        "driver_info": info("127.0.0.1", pin="1"),
        "secret_keys": frozenset({"pin"}),
        "bmc_address": None,
    }
    with pytest.raises(ArgumentInvalid, match="ipmi_password"):
        judged(NodeSet(node="n1", driver="socket"), record)


def test_a_new_bmc_address_is_judged_and_the_one_that_was_forced_is_not_judged_again() -> None:
    shared = known(2, bmc_address="127.0.0.1:623")
    index = index_of(known(1), shared, known(3))

    with pytest.raises(BMCAddressTaken):
        judged(NodeSet(node="n3", driver_info=info("127.0.0.1")), known(3), index)

    assert judged(NodeSet(node="n2", extra={"rack": "r1"}), shared, index).attributes == {"extra": {"rack": "r1"}}


def test_a_node_whose_identity_is_changing_is_locked() -> None:
    record = known(1)
    index = index_of(record)
    index.reserve(record.uuid, Identity(NodeName("new"), record.bmc_address))

    with pytest.raises(NodeLocked, match=r"^n1: another change of this node is not finished\. Try again\.$") as caught:
        judged(NodeSet(node="n1"), record, index)

    assert caught.value.details == {
        "node": "n1",
        "request": None,
        "verb": "node.set",
        "age_s": None,
        "requester": None,
    }


def test_an_amendment_shows_no_secret() -> None:
    amendment = judged(NodeSet(node="n1", driver_info={"ipmi_password": "other-secret"}))

    assert amendment.driver_info is not None
    for shown in (repr(amendment), repr(amendment.driver_info)):
        assert "other-secret" not in shown


# The index.


def test_the_index_knows_who_has_what() -> None:
    index = index_of(known(1), known(2))

    assert len(index) == 2
    assert index.owner_of_name(NodeName("n2")) == node_uuid(2)
    assert index.owner_of_name(NodeName("n3")) is None
    assert index.owner_of_address("127.0.0.1:623") == node_uuid(1)
    assert index.owner_of_address("127.0.0.3:623") is None
    assert (index.name_of(node_uuid(1)), index.name_of(node_uuid(3))) == ("n1", None)


def test_of_several_owners_of_an_address_the_first_is_named() -> None:
    index = index_of(known(2, bmc_address="x"), known(1, bmc_address="x"))

    index.drop(node_uuid(2))

    assert index.owner_of_address("x") == node_uuid(1)


@pytest.mark.parametrize(("applied", "has"), [(True, "new"), (False, "n1")])
def test_while_a_node_changes_both_its_identities_are_taken_and_then_one(applied: bool, has: str) -> None:
    index = index_of(known(1))
    index.reserve(node_uuid(1), Identity(NodeName("new"), "elsewhere"))
    both = [index.owner_of_name(NodeName(name)) for name in ("n1", "new")]

    index.settle(node_uuid(1), applied=applied)

    assert both == [node_uuid(1), node_uuid(1)]
    assert [name for name in ("n1", "new") if index.owner_of_name(NodeName(name))] == [has]
    assert index.name_of(node_uuid(1)) == has
    assert not index.is_changing(node_uuid(1))


def test_settling_what_was_not_reserved_changes_nothing() -> None:
    index = index_of(known(1))

    index.settle(node_uuid(1), applied=True)

    assert index.owner_of_name(NodeName("n1")) == node_uuid(1)


UUIDS = st.sampled_from([node_uuid(number) for number in range(1, 5)])
NAMES = st.sampled_from([NodeName(name) for name in "abcd"])
ADDRESSES = st.sampled_from(["x", "y", None])


class IndexAgainstModel(RuleBasedStateMachine):
    """The index answers as a list of who has what, or is about to have it."""

    def __init__(self) -> None:
        super().__init__()
        self.index = FleetIndex()
        self.has: dict[NodeUUID, Identity] = {}
        self.will: dict[NodeUUID, Identity] = {}

    nodes = Bundle("nodes")

    def holders(self, name: NodeName) -> set[NodeUUID]:
        return {uuid for having in (self.has, self.will) for uuid, identity in having.items() if identity.name == name}

    @rule(target=nodes, uuid=UUIDS, name=NAMES, address=ADDRESSES)
    def add(self, uuid: NodeUUID, name: NodeName, address: str | None) -> NodeUUID:
        if uuid not in self.has and not self.holders(name):
            self.has[uuid] = Identity(name, address)
            self.index.add(uuid, self.has[uuid])
        return uuid

    @rule(uuid=nodes, name=NAMES, address=ADDRESSES)
    def reserve(self, uuid: NodeUUID, name: NodeName, address: str | None) -> None:
        if uuid in self.has and uuid not in self.will and self.holders(name) <= {uuid}:
            self.will[uuid] = Identity(name, address)
            self.index.reserve(uuid, self.will[uuid])

    @rule(uuid=nodes, applied=st.booleans())
    def settle(self, uuid: NodeUUID, applied: bool) -> None:
        self.index.settle(uuid, applied=applied)
        new = self.will.pop(uuid, None)
        if new is not None and applied:
            self.has[uuid] = new

    @rule(uuid=consumes(nodes))
    def drop(self, uuid: NodeUUID) -> None:
        self.index.drop(uuid)
        self.has.pop(uuid, None)
        self.will.pop(uuid, None)

    @invariant()
    def agrees(self) -> None:
        assert len(self.index) == len(self.has)
        for name in (NodeName(letter) for letter in "abcd"):
            assert {self.index.owner_of_name(name)} - {None} == self.holders(name)
        for address in ("x", "y"):
            owners = {
                uuid
                for having in (self.has, self.will)
                for uuid, identity in having.items()
                if identity.bmc_address == address
            }
            owner = self.index.owner_of_address(address)
            assert owner in owners if owners else owner is None


TestIndexAgainstModel = IndexAgainstModel.TestCase
TestIndexAgainstModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
