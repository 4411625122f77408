"""Waiting for others' claims ends, whatever begins later; lines keep their order."""

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.allocations.lines import Lines
from castiron.actors.core.allocations.races import Races
from castiron.transport.vocabulary import AllocationUUID, Instant
from tests.support.store_records import allocation_uuid, plain_allocation

A, B = AllocationUUID("a"), AllocationUUID("b")


def test_whoever_waits_does_so_for_the_claims_that_had_begun_and_for_no_later_one() -> None:
    races = Races()
    first = races.begin("bm")
    races.watch("bm", A)
    second = races.begin("bm")
    races.watch("bm", B)

    assert races.end("bm", first) == [A]
    assert races.end("bm", second) == [B]


@given(st.lists(st.sampled_from(["begin", "watch", "end first", "end last"]), max_size=40))
def test_everybody_is_woken_once_and_no_earlier(steps: list[str]) -> None:
    races, running, waiting, woken = (
        Races(),
        dict[int, None](),
        dict[AllocationUUID, set[int]](),
        list[AllocationUUID](),
    )
    for number, step in enumerate([*steps, *["end first"] * 40]):
        if step == "begin":
            running[races.begin("bm")] = None
        elif step == "watch" and running:
            waiting[AllocationUUID(str(number))] = set(running)
            races.watch("bm", AllocationUUID(str(number)))
        elif running and step.startswith("end"):
            ticket = next(iter(running)) if step == "end first" else next(reversed(running))
            del running[ticket]
            for uuid in races.end("bm", ticket):
                assert not waiting.pop(uuid) & set(running)
                woken.append(uuid)
    assert waiting == {}
    assert len(set(woken)) == len(woken)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=40))
def test_a_line_is_in_the_order_in_which_people_came_whenever_they_joined_it(steps: list[tuple[int, bool]]) -> None:
    lines, there = Lines(), set[int]()
    for number, joins in steps:
        record = plain_allocation(number, created_at=Instant(100.0 - number))
        if joins:
            lines.join(record)
            there.add(number)
        else:
            there.discard(number)
            assert lines.leave(record) == (not there)

    assert lines.of("baremetal") == [allocation_uuid(number) for number in sorted(there, reverse=True)]
    assert len(lines) == len(there)
    assert lines.first("baremetal", lambda uuid: uuid != allocation_uuid(max(there, default=0))) == next(
        (allocation_uuid(number) for number in sorted(there, reverse=True)[1:]), None
    )
