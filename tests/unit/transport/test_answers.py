"""Which replies come of what a handler says."""

import select
import threading
from collections.abc import Iterator

import pytest

from castiron.transport.doors.answers import Answer, Outbox
from castiron.transport.errors import ConductorDraining, NodeLocked
from castiron.transport.frames import ACCEPTED, FINAL, Envelope
from castiron.transport.replies import Pong
from castiron.transport.verbs import NodePowerSet, Ping
from castiron.transport.vocabulary import PowerTarget, ReplyWish
from tests.support.raw_peer import unpacked

RESULT = Pong(boot_id="b")


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    one = Outbox(lambda: "e-1")
    yield one
    one.close()


def answer_to(outbox: Outbox, wish: ReplyWish | None) -> Answer:
    verb = Ping() if wish is None else NodePowerSet(node="n1", target=PowerTarget.ON, replies=wish)
    return Answer(outbox, b"key", Envelope(delimited=False, id=b"1", body=b""), verb)


def kinds(outbox: Outbox) -> list[bytes]:
    return [reply.kind for reply in outbox.take()]


@pytest.mark.parametrize(
    ("wish", "sent"),
    [
        (None, [FINAL]),
        (ReplyWish.ACCEPTED, [FINAL]),
        (ReplyWish.FINAL, [FINAL]),
        (ReplyWish.BOTH, [ACCEPTED, FINAL]),
    ],
)
def test_a_handler_tells_all_and_the_client_gets_what_it_wished(
    outbox: Outbox, wish: ReplyWish | None, sent: list[bytes]
) -> None:
    answer = answer_to(outbox, wish)

    answer.accepted(RESULT, 1)
    answer.final(RESULT, 2)

    replies = list(outbox.take())
    assert [reply.kind for reply in replies] == sent
    assert unpacked(replies[-1].body)["seq"] == (1 if wish is ReplyWish.ACCEPTED else 2)
    assert not answer.is_open
    assert outbox.doubled_count == 0


@pytest.mark.parametrize("wish", ReplyWish)
def test_a_refusal_is_the_last_word_whatever_was_wished(outbox: Outbox, wish: ReplyWish) -> None:
    answer = answer_to(outbox, wish)

    answer.fail(NodeLocked("Busy."), 1)

    (reply,) = outbox.take()
    assert reply.kind == FINAL
    assert unpacked(reply.body)["error"]["code"] == "node.locked"


@pytest.mark.parametrize("wish", ReplyWish)
def test_whatever_comes_after_the_last_word_is_dropped_and_counted(outbox: Outbox, wish: ReplyWish) -> None:
    answer = answer_to(outbox, wish)
    answer.accepted(RESULT, 1)
    answer.final(RESULT, 2)
    sent = kinds(outbox)

    answer.final(RESULT, 3)
    answer.fail(NodeLocked("Busy."), 4)
    answer.accepted(RESULT, 5)

    assert sent.count(FINAL) == 1
    assert kinds(outbox) == []
    assert outbox.doubled_count == 3


def test_accepted_twice_is_a_bug_that_is_counted(outbox: Outbox) -> None:
    answer = answer_to(outbox, ReplyWish.BOTH)

    answer.accepted(RESULT, 1)
    answer.accepted(RESULT, 2)

    assert kinds(outbox) == [ACCEPTED]
    assert outbox.doubled_count == 1
    assert answer.is_open


@pytest.mark.parametrize("wish", [ReplyWish.FINAL, ReplyWish.BOTH])
def test_what_comes_after_the_doors_own_last_word_is_late_and_no_bug(
    outbox: Outbox, wish: ReplyWish, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answer_to(outbox, wish)
    answer.accepted(RESULT, 1)

    answer.leave(ConductorDraining("Stopped."), 0)
    answer.final(RESULT, 2)
    answer.leave(ConductorDraining("Stopped."), 0)

    assert kinds(outbox).count(FINAL) == 1
    assert (outbox.late_count, outbox.doubled_count) == (1, 0)
    assert caplog.text == ""


def test_a_door_that_closes_does_not_speak_after_the_last_word(outbox: Outbox) -> None:
    answer = answer_to(outbox, ReplyWish.FINAL)
    answer.final(RESULT, 1)

    answer.leave(ConductorDraining("Stopped."), 0)

    assert kinds(outbox) == [FINAL]
    assert outbox.doubled_count == 0


def test_who_waits_is_told_once_when_the_peer_is_gone(outbox: Outbox) -> None:
    answer = answer_to(outbox, ReplyWish.FINAL)
    calls: list[str] = []
    answer.when_gone(lambda: calls.append("gone"))

    answer.gone()
    answer.gone()
    answer.final(RESULT, 1)

    assert calls == ["gone"]
    assert kinds(outbox) == []
    assert (outbox.late_count, outbox.doubled_count) == (1, 0)
    answer.when_gone(lambda: calls.append("at once"))
    assert calls == ["gone", "at once"]


def test_a_peer_that_goes_after_the_last_word_matters_to_nobody(outbox: Outbox) -> None:
    answer = answer_to(outbox, None)
    calls: list[str] = []
    answer.when_gone(lambda: calls.append("gone"))
    answer.final(RESULT, 1)

    answer.gone()
    answer.when_gone(lambda: calls.append("never"))

    assert calls == []
    assert kinds(outbox) == [FINAL]


def test_many_threads_give_one_last_word(outbox: Outbox) -> None:
    for _ in range(50):
        answer = answer_to(outbox, ReplyWish.BOTH)
        start = threading.Barrier(4)

        def give(answer: Answer = answer, start: threading.Barrier = start) -> None:
            start.wait(5)
            answer.final(RESULT, 1)

        threads = [threading.Thread(target=give) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

    assert kinds(outbox) == [FINAL] * 50
    assert outbox.doubled_count == 150


def is_readable(outbox: Outbox) -> bool:
    return bool(select.select([outbox.fileno()], [], [], 0)[0])


def test_another_thread_wakes_the_owner_and_the_owner_does_not_wake_itself(outbox: Outbox) -> None:
    outbox.belongs_here()
    answer_to(outbox, None).final(RESULT, 1)
    assert not is_readable(outbox)

    for _ in range(2):  # each time anew
        other = threading.Thread(target=answer_to(outbox, None).final, args=(RESULT, 2))
        other.start()
        other.join(5)
        assert is_readable(outbox)
        outbox.heed()
        assert not is_readable(outbox)

    assert kinds(outbox) == [FINAL, FINAL, FINAL]
    outbox.heed()  # harmless when nothing has been put in


def test_a_closed_outbox_takes_answers_and_loses_them() -> None:
    outbox = Outbox(lambda: "e-1")
    answer = answer_to(outbox, None)
    outbox.close()
    outbox.close()

    answer.final(RESULT, 1)
    outbox.wake()

    assert not answer.is_open
