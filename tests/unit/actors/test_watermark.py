"""The number up to which everything that has happened can be seen."""

from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.published import watermark
from castiron.actors.published.watermark import Watermark
from castiron.transport.vocabulary import EventSeq, NodeUUID

A, B = NodeUUID("a"), NodeUUID("b")


def landed(mark: Watermark, uuid: NodeUUID | None, first: int, last: int) -> None:
    mark.land(uuid, EventSeq(first), EventSeq(last))


def test_what_has_landed_is_not_seen_before_it_is_shown() -> None:
    mark = Watermark(EventSeq(4))

    landed(mark, A, 5, 6)
    assert mark.seq == 4

    mark.show(A, EventSeq(6))
    assert mark.seq == 6


def test_a_later_number_does_not_hide_an_earlier_one_that_is_still_on_its_way() -> None:
    mark = Watermark(EventSeq(0))
    landed(mark, A, 1, 1)
    landed(mark, B, 2, 2)

    mark.show(B, EventSeq(2))
    assert mark.seq == 0

    mark.show(A, EventSeq(1))
    assert mark.seq == 2


def test_a_node_that_shows_a_later_number_has_shown_its_earlier_ones() -> None:
    mark = Watermark(EventSeq(0))
    landed(mark, A, 1, 1)
    landed(mark, A, 2, 3)

    mark.show(A, EventSeq(1))
    assert mark.seq == 1
    mark.show(A, EventSeq(3))
    assert mark.seq == 3


def test_an_event_of_no_node_is_waited_for_by_nobody() -> None:
    mark = Watermark(EventSeq(0))

    landed(mark, None, 1, 1)

    assert mark.seq == 1


def test_where_nothing_is_said_to_land_the_mark_is_the_highest_that_is_shown() -> None:
    mark = Watermark(EventSeq(5))

    mark.show(A, EventSeq(9))
    mark.show(B, EventSeq(7))

    assert mark.seq == 9


def test_what_nobody_ever_shows_is_given_up_at_the_limit() -> None:
    mark = Watermark(EventSeq(0))
    landed(mark, A, 1, 1)

    for number in range(2, watermark.MAX_WAITING + 3):
        landed(mark, B, number, number)
    mark.show(B, EventSeq(watermark.MAX_WAITING + 2))

    assert mark.seq == watermark.MAX_WAITING + 2
    assert not mark._counts
    assert not mark._shown


steps = st.lists(st.tuples(st.sampled_from("ABCD"), st.booleans(), st.integers(1, 3)), max_size=60)


@given(steps)
def test_the_mark_is_always_just_below_the_first_that_is_not_shown(steps: list[tuple[str, bool, int]]) -> None:
    mark, seq = Watermark(EventSeq(0)), 0
    hidden: list[tuple[int, str]] = []
    latest: dict[str, int] = {}
    for node, lands, count in steps:
        if lands:
            landed(mark, NodeUUID(node), seq + 1, seq + count)
            hidden.extend((number, node) for number in range(seq + 1, seq + count + 1))
            seq += count
            latest[node] = seq
        elif node in latest:
            mark.show(NodeUUID(node), EventSeq(latest[node]))
            hidden = [one for one in hidden if one[1] != node]

        assert mark.seq == (min(hidden)[0] - 1 if hidden else seq)
