"""A mailbox has two lanes and one bound, and loses no wake-up."""

import signal
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from pykka import ActorDeadError, ThreadingFuture
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from castiron.actors.core import messages as core
from castiron.actors.core.state import Ticket
from castiron.actors.dispatch.dispatcher import Runnable
from castiron.actors.dispatch.mailbox import UNLIMITED, InboxFull, Mailbox, TurnOver
from castiron.actors.dispatch.virtual import SimDispatcher


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A message of the control lane."""

    number: int
    is_control: ClassVar[bool] = True


class Owner:
    """What a mailbox wakes: takes everything, and counts its turns."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.turns = 0
        self.taken: list[Any] = []

    def run_turn(self, messages: int) -> None:
        self.turns += 1
        self.mailbox.begin(messages)
        self.taken += taken(self.mailbox)
        self.mailbox.rest()

    def doing(self) -> tuple[str, str]:
        return "owner", "nothing"


def taken(mailbox: Mailbox) -> list[Any]:
    messages: list[Any] = []
    while True:
        try:
            messages.append(mailbox.get().message)
        except TurnOver:
            return messages


def put(mailbox: Mailbox, *messages: object) -> None:
    for message in messages:
        mailbox.put(Envelope(message))


@pytest.fixture
def dispatcher() -> SimDispatcher:
    return SimDispatcher(throughput=4)


@pytest.fixture
def mailbox(dispatcher: SimDispatcher) -> Mailbox:
    mailbox = Mailbox()
    mailbox.attach(dispatcher, limit=3)
    return mailbox


@pytest.fixture
def owner(mailbox: Mailbox, dispatcher: SimDispatcher) -> Owner:
    owner = Owner(mailbox)
    mailbox.open(owner)
    dispatcher.run_until_idle()
    return owner


def test_control_goes_first_and_each_lane_keeps_its_order(mailbox: Mailbox) -> None:
    put(mailbox, "a", TimerDue(1), "b", TimerDue(2))

    mailbox.begin(UNLIMITED)

    assert taken(mailbox) == [TimerDue(1), TimerDue(2), "a", "b"]


def test_control_that_comes_in_during_a_turn_goes_first(mailbox: Mailbox) -> None:
    put(mailbox, "a", "b")
    mailbox.begin(UNLIMITED)

    first = mailbox.get().message
    put(mailbox, TimerDue(1))

    assert [first, *taken(mailbox)] == ["a", TimerDue(1), "b"]


def test_the_bound_refuses_a_user_and_nobody_else(mailbox: Mailbox) -> None:
    put(mailbox, "a", "b", "c")

    with pytest.raises(InboxFull) as refusal:
        put(mailbox, "d")
    put(mailbox, TimerDue(1), _ActorStop())

    assert refusal.value.limit == 3
    mailbox.begin(UNLIMITED)
    assert taken(mailbox) == [TimerDue(1), "a", "b", "c", _ActorStop()]


def test_control_does_not_count_against_the_bound(mailbox: Mailbox) -> None:
    put(mailbox, *(TimerDue(number) for number in range(10)))

    put(mailbox, "a", "b", "c")

    assert mailbox.waiting() == 13


@pytest.mark.parametrize(
    "message",
    [{"is_control": True}, "is_control", 1, None, ("is_control",)],
    ids=["map", "str", "int", "none", "tuple"],
)
def test_a_message_is_a_users_unless_its_class_says_otherwise(mailbox: Mailbox, message: Any) -> None:
    put(mailbox, "a", "b", "c")

    with pytest.raises(InboxFull):
        put(mailbox, message)


def test_a_turn_ends_after_its_messages(mailbox: Mailbox) -> None:
    put(mailbox, "a", "b", "c")

    mailbox.begin(2)

    assert taken(mailbox) == ["a", "b"]
    assert mailbox.waiting() == 1


def test_an_owner_that_was_not_opened_is_not_woken(mailbox: Mailbox, dispatcher: SimDispatcher) -> None:
    put(mailbox, "a")

    assert dispatcher.backlog() == 0


def test_a_message_wakes_its_owner_once(mailbox: Mailbox, owner: Owner, dispatcher: SimDispatcher) -> None:
    put(mailbox, "a", "b")

    assert dispatcher.backlog() == 1
    dispatcher.run_until_idle()
    assert owner.taken == ["a", "b"]
    assert owner.turns == 2  # the first was the one that every owner gets


def test_what_a_turn_leaves_gets_another_turn(mailbox: Mailbox, owner: Owner, dispatcher: SimDispatcher) -> None:
    put(mailbox, *(TimerDue(number) for number in range(10)))

    dispatcher.run_until_idle()

    assert len(owner.taken) == 10
    assert owner.turns == 1 + 3


def test_the_message_in_hand_is_forgotten_when_the_turn_ends(mailbox: Mailbox, owner: Owner) -> None:
    put(mailbox, "secret")
    mailbox.begin(UNLIMITED)

    mailbox.get()
    in_hand = mailbox.in_hand()
    mailbox.rest()

    assert in_hand is not None
    assert in_hand.message == "secret"
    assert mailbox.in_hand() is None


def test_a_mailbox_that_holds_messages_does_not_close(mailbox: Mailbox, owner: Owner) -> None:
    put(mailbox, "a")

    assert not mailbox.close()


def test_a_closed_mailbox_tells_who_tells_and_who_asks(mailbox: Mailbox, owner: Owner) -> None:
    assert mailbox.close()
    future: ThreadingFuture[Any] = ThreadingFuture()

    with pytest.raises(ActorDeadError):
        put(mailbox, "told")
    mailbox.put(Envelope("asked", reply_to=future))

    with pytest.raises(ActorDeadError):
        future.get(timeout=0)


def test_what_waits_can_be_refused(mailbox: Mailbox, owner: Owner) -> None:
    future: ThreadingFuture[Any] = ThreadingFuture()
    put(mailbox, "told", TimerDue(1))
    mailbox.put(Envelope("asked", reply_to=future))

    mailbox.refuse_waiting()

    assert mailbox.empty()
    with pytest.raises(ActorDeadError):
        future.get(timeout=0)


def test_a_signal_handler_may_tell_the_actor_that_is_being_told() -> None:
    mailbox, limit = Mailbox(), 1_000_000
    mailbox.attach(SimDispatcher(), limit=limit)
    handled: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        put(mailbox, "from the handler")
        handled.append(number)

    before = signal.signal(signal.SIGPROF, on_signal)
    signal.setitimer(signal.ITIMER_PROF, 0.0005, 0.0005)
    try:
        told = 0
        while len(handled) < 50:
            put(mailbox, "from the thread")
            told += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)

    assert mailbox.waiting() == told + len(handled)


def test_the_bound_is_exact_however_many_put_at_once() -> None:
    limit, senders = 100, 8
    mailbox = Mailbox()
    mailbox.attach(SimDispatcher(), limit=limit)
    refused: list[int] = []
    start = threading.Barrier(senders)

    def send(who: int) -> None:
        start.wait(10)
        for _ in range(limit):
            try:
                put(mailbox, who)
            except InboxFull:
                refused.append(who)

    threads = [threading.Thread(target=send, args=(who,)) for who in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert mailbox.waiting() == limit
    assert len(refused) == senders * limit - limit


class Noting(SimDispatcher):
    """Notes who is to go ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: list[bool] = []

    def schedule(self, runnable: Runnable, *, ahead: bool = False) -> None:
        self.ahead.append(ahead)
        super().schedule(runnable, ahead=ahead)


def test_who_sleeps_goes_ahead_for_what_is_due_and_whoever_is_owed_a_turn_already_does_not() -> None:
    dispatcher, mailbox = Noting(), Mailbox()
    mailbox.attach(dispatcher, limit=3)
    mailbox.open(Owner(mailbox))
    dispatcher.run_until_idle()

    put(mailbox, core.TimerDue(ticket=Ticket(1)))
    dispatcher.run_until_idle()
    put(mailbox, "told", core.TimerDue(ticket=Ticket(2)))

    assert dispatcher.ahead == [False, True, False]
