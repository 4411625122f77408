"""A key is one request: on its way, on disk, and until that is pruned."""

from dataclasses import dataclass, field

import pytest

from castiron.actors.reception.admission import Keys, Wanted, judge_known
from castiron.actors.reception.intake import has_ended
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError, NodeLocked, RequestReused
from castiron.transport.verbs import NodePowerSet, arguments_of, tag_of
from castiron.transport.vocabulary import EventSeq, Policy, PowerTarget, RequestState
from tests.support.store_records import node_uuid, plain_request

ON = NodePowerSet(node="n1", target=PowerTarget.ON)
OFF = NodePowerSet(node="n1", target=PowerTarget.OFF)
REQUEST = plain_request(1, verb=tag_of(ON), arguments=arguments_of(ON))
SEQ = EventSeq(7)


@dataclass
class Follower:
    heard: list[RequestRecord | CastironError] = field(default_factory=list[RequestRecord | CastironError])

    def joined(self, request: RequestRecord, seq: EventSeq) -> None:
        assert seq == SEQ
        self.heard.append(request)

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        assert seq == SEQ
        self.heard.append(error)


def wanted(verb: NodePowerSet = ON, number: int = 1, key: str = "key-1") -> Wanted:
    return Wanted(key, node_uuid(number), verb)


def test_a_new_key_is_free_and_whoever_comes_with_it_meanwhile_follows() -> None:
    keys, first, second = Keys([]), Follower(), Follower()
    assert keys.reserve(wanted(), first)

    assert not keys.reserve(wanted(), second)
    keys.settled("key-1", REQUEST, SEQ)

    assert (first.heard, second.heard) == ([], [REQUEST])
    assert keys.is_known("key-1")


def test_a_refusal_frees_the_key_and_refuses_who_followed() -> None:
    keys, second = Keys([]), Follower()
    keys.reserve(wanted(), Follower())
    keys.reserve(wanted(), second)
    error = NodeLocked("busy")

    keys.refused("key-1", error, SEQ)

    assert second.heard == [error]
    assert not keys.is_known("key-1")
    assert keys.reserve(wanted(OFF), Follower())


@pytest.mark.parametrize("other", [wanted(OFF), wanted(number=2)])
def test_a_key_of_another_request_on_its_way_is_refused(other: Wanted) -> None:
    keys = Keys([])
    keys.reserve(wanted(), Follower())

    with pytest.raises(RequestReused) as refusal:
        keys.reserve(other, Follower())

    assert refusal.value.details["key"] == "key-1"


def test_how_a_request_is_treated_does_not_make_it_another_one() -> None:
    keys = Keys([])
    keys.reserve(wanted(), Follower())
    patient = NodePowerSet(node="by-uuid", target=PowerTarget.ON, timeout_s=5.0, policy=Policy.AFTER)

    assert not keys.reserve(wanted(patient), Follower())
    judge_known(wanted(patient), REQUEST)


@pytest.mark.parametrize("other", [wanted(OFF), wanted(number=2)])
def test_a_key_of_another_request_on_disk_is_refused(other: Wanted) -> None:
    with pytest.raises(RequestReused) as refusal:
        judge_known(other, REQUEST)

    assert refusal.value.details == {"key": "key-1", "request": REQUEST.id, "verb": REQUEST.verb, "node": "n1"}


def test_the_stores_keys_are_known_from_the_start_until_they_are_pruned() -> None:
    keys = Keys(["key-1", "key-2"])
    assert (keys.is_known("key-1"), keys.is_known("key-2"), keys.is_known("key-3"), len(keys)) == (True, True, False, 2)

    keys.forget(["key-2"])

    assert (keys.is_known("key-1"), keys.is_known("key-2"), len(keys)) == (True, False, 1)


def test_what_is_told_twice_is_told_once() -> None:
    keys, second = Keys([]), Follower()
    keys.reserve(wanted(), Follower())
    keys.reserve(wanted(), second)

    keys.settled("key-1", REQUEST, SEQ)
    keys.settled("key-1", REQUEST, SEQ)
    keys.refused("key-1", NodeLocked("busy"), SEQ)

    assert second.heard == [REQUEST]


def test_what_comes_too_late_for_a_cancelled_request_is_not_told_that_it_was_the_one_that_cancelled() -> None:
    error = has_ended(plain_request(7, state=RequestState.CANCELLED))

    assert "has ended: cancelled" in error.message
    assert error.details["state"] == "cancelled"
