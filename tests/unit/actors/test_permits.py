"""Permits are exact and fair."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from castiron.actors.nodes.permits import PermitMisused, Permits


class Told(list[object]):
    """Who was granted, in order."""

    def note(self, owner: object) -> Callable[[], None]:
        return lambda: self.append(owner)


def test_whoever_finds_room_holds_a_permit_before_acquire_returns() -> None:
    permits, told = Permits(2), Told()

    permits.acquire("a", told.note("a"))
    permits.acquire("b", told.note("b"))
    permits.acquire("c", told.note("c"))

    assert told == ["a", "b"]
    assert (permits.in_use, permits.waiting) == (2, 1)


def test_a_permit_given_back_goes_to_who_asked_first() -> None:
    permits, told = Permits(1), Told()
    for owner in "abc":
        permits.acquire(owner, told.note(owner))

    permits.release("a")

    assert told == ["a", "b"]
    assert (permits.in_use, permits.waiting) == (1, 1)


def test_at_once_is_for_whom_there_is_room_and_who_passes_nobody() -> None:
    permits, told = Permits(3, {"engine": 1}), Told()

    assert permits.acquire_at_once("a", "engine")
    assert not permits.acquire_at_once("b", "engine")  # there is no room in the class
    assert not permits.acquire_at_once("a")  # it holds one
    permits.acquire("c", told.note("c"), "engine")
    assert not permits.acquire_at_once("d")  # somebody waits, though for something else
    permits.release("a")

    assert told == ["c"]
    assert permits.acquire_at_once("d")
    assert permits.acquire_at_once("e")
    assert not permits.acquire_at_once("f")
    assert (permits.in_use, permits.in_use_of("engine"), permits.waiting) == (3, 1, 0)


def test_whoever_withdraws_leaves_the_line() -> None:
    permits, told = Permits(1), Told()
    for owner in "abc":
        permits.acquire(owner, told.note(owner))

    permits.withdraw("b")
    permits.withdraw("b")
    permits.release("a")

    assert told == ["a", "c"]


def test_whoever_withdraws_while_holding_gives_the_permit_back() -> None:
    permits, told = Permits(1), Told()
    for owner in "ab":
        permits.acquire(owner, told.note(owner))

    permits.withdraw("a")

    assert told == ["a", "b"]


def test_a_permit_cannot_be_given_back_twice() -> None:
    permits = Permits(1)
    permits.acquire("a", lambda: None)
    permits.release("a")

    with pytest.raises(PermitMisused, match="'a' holds no permit"):
        permits.release("a")


def test_who_waits_has_nothing_to_give_back() -> None:
    permits = Permits(1)
    permits.acquire("a", lambda: None)
    permits.acquire("b", lambda: None)

    with pytest.raises(PermitMisused, match="'b' holds no permit"):
        permits.release("b")


@pytest.mark.parametrize("owner", ["holds", "waits"])
def test_an_owner_cannot_ask_twice(owner: str) -> None:
    permits = Permits(1)
    permits.acquire("holds", lambda: None)
    permits.acquire("waits", lambda: None)

    with pytest.raises(PermitMisused):
        permits.acquire(owner, lambda: None)


def test_a_permit_whose_owner_cannot_be_told_goes_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    permits, told = Permits(1), Told()

    def dead() -> None:
        raise LookupError("the actor is gone")

    permits.acquire("a", told.note("a"))
    permits.acquire("dead", dead)
    permits.acquire("c", told.note("c"))
    permits.release("a")

    assert told == ["a", "c"]
    assert permits.in_use == 1
    assert "'dead' could not be told" in caplog.text


def test_a_limit_lets_somebody_in() -> None:
    with pytest.raises(ValueError, match="nobody"):
        Permits(0)


def test_many_threads_never_hold_more_than_the_limit_and_all_get_their_turn() -> None:
    limit, threads_count, rounds = 3, 8, 500
    permits = Permits(limit)
    held: set[tuple[int, int]] = set()
    most: list[int] = []
    served: list[tuple[int, int]] = []

    def ask(who: int) -> None:
        for number in range(rounds):
            owner, is_granted = (who, number), threading.Event()

            def granted(owner: tuple[int, int] = owner, is_granted: threading.Event = is_granted) -> None:
                held.add(owner)
                most.append(len(held))
                is_granted.set()

            permits.acquire(owner, granted)
            assert is_granted.wait(10)
            served.append(owner)
            held.discard(owner)
            if number % 7:
                permits.release(owner)
            else:
                permits.withdraw(owner)

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(threads_count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(served) == threads_count * rounds
    assert max(most) <= limit
    assert (permits.in_use, permits.waiting) == (0, 0)


OWNERS = st.integers(0, 7)


class PermitsMachine(RuleBasedStateMachine):
    """Permits against a list: whoever is among the first `limit` holds."""

    @initialize(limit=st.integers(1, 4))
    def begin(self, limit: int) -> None:
        self.limit = limit
        self.permits = Permits(limit)
        self.line: list[int] = []
        self.told: list[int] = []
        self.expected: list[int] = []

    def settle(self, before: list[int]) -> None:
        self.expected += [owner for owner in self.line[: self.limit] if owner not in before]

    @rule(owner=OWNERS)
    def acquire(self, owner: int) -> None:
        holding = self.line[: self.limit]
        if owner in self.line:
            with pytest.raises(PermitMisused):
                self.permits.acquire(owner, lambda: None)
            return
        self.permits.acquire(owner, lambda: self.told.append(owner))
        self.line.append(owner)
        self.settle(holding)

    @rule(owner=OWNERS)
    def release(self, owner: int) -> None:
        holding = self.line[: self.limit]
        if owner not in holding:
            with pytest.raises(PermitMisused):
                self.permits.release(owner)
            return
        self.permits.release(owner)
        self.line.remove(owner)
        self.settle(holding)

    @precondition(lambda self: self.line)
    @rule(owner=OWNERS)
    def withdraw(self, owner: int) -> None:
        holding = self.line[: self.limit]
        self.permits.withdraw(owner)
        if owner in self.line:
            self.line.remove(owner)
        self.settle(holding)

    @invariant()
    def agrees(self) -> None:
        assert self.told == self.expected
        assert self.permits.in_use == min(self.limit, len(self.line))
        assert self.permits.waiting == max(0, len(self.line) - self.limit)


TestPermitsAgainstAModel = PermitsMachine.TestCase
TestPermitsAgainstAModel.settings = settings(deadline=None)


def test_a_full_class_holds_nobody_else_up_and_its_own_come_in_their_order() -> None:
    permits, told = Permits(4, {"power": 1}), Told()
    for owner in ("p1", "p2", "p3"):
        permits.acquire(owner, told.note(owner), "power")
    permits.acquire("b1", told.note("b1"))
    permits.acquire("b2", told.note("b2"), "another")

    assert told == ["p1", "b1", "b2"]
    assert (permits.in_use_of("power"), permits.in_use, permits.waiting) == (1, 3, 2)

    permits.release("p1")
    permits.withdraw("p3")
    permits.release("p2")
    assert told == ["p1", "b1", "b2", "p2"]
    assert (permits.in_use_of("power"), permits.waiting) == (0, 0)


def test_among_classes_whoever_asked_first_is_next() -> None:
    permits, told = Permits(1, {"power": 5}), Told()
    for owner in ("x", "p1", "b1", "p2"):
        permits.acquire(owner, told.note(owner), "power" if owner.startswith("p") else "")

    for owner in ("x", "p1", "b1"):
        permits.release(owner)

    assert told == ["x", "p1", "b1", "p2"]


def test_a_bound_of_zero_is_none() -> None:
    permits, told = Permits(3, {"power": 0}), Told()
    for owner in "abc":
        permits.acquire(owner, told.note(owner), "power")

    assert told == ["a", "b", "c"]


def test_what_is_lent_goes_to_who_waits_for_it_and_the_permit_stays() -> None:
    permits, told = Permits(3, {"engine": 1}), Told()
    permits.acquire("a", told.note("a"), "engine")
    permits.acquire("b", told.note("b"), "engine")

    permits.lend("a", "engine")
    permits.lend("a", "engine")

    assert told == ["a", "b"]
    assert (permits.in_use, permits.in_use_of("engine")) == (2, 1)


def test_whoever_wants_back_what_it_lent_waits_behind_those_who_came_before_and_before_those_who_come_later() -> None:
    permits, told = Permits(4, {"engine": 1}), Told()
    for owner in "ab":
        permits.acquire(owner, told.note(owner), "engine")
    permits.lend("a", "engine")
    permits.acquire("c", told.note("c"), "engine")
    permits.retake("a", "engine", told.note("a again"))
    permits.acquire("d", told.note("d"), "engine")
    assert (permits.waiting, permits.waiting_for_more) == (2, 1)

    for owner in "bca":
        permits.withdraw(owner)

    assert told == ["a", "b", "c", "a again", "d"]
    assert (permits.in_use, permits.in_use_of("engine"), permits.waiting_for_more) == (1, 1, 0)


def test_what_was_lent_comes_back_also_where_nobody_new_may_come_in() -> None:
    permits, told = Permits(1, {"engine": 1}), Told()
    permits.acquire("a", told.note("a"), "engine")
    permits.lend("a", "engine")
    permits.acquire("b", told.note("b"))

    permits.retake("a", "engine", told.note("a again"))

    assert told == ["a", "a again"]


@pytest.mark.parametrize("how", ["lend", "withdraw"])
def test_whoever_wants_it_back_no_more_leaves_that_line(how: str) -> None:
    permits, told = Permits(3, {"engine": 1}), Told()
    for owner in "ab":
        permits.acquire(owner, told.note(owner), "engine")
        permits.lend(owner, "engine")
    permits.retake("a", "engine", told.note("a again"))
    permits.retake("b", "engine", told.note("b again"))

    if how == "lend":
        permits.lend("b", "engine")
    else:
        permits.withdraw("b")
    permits.withdraw("a")

    assert told == ["a", "b", "a again"]
    assert (permits.in_use, permits.in_use_of("engine")) == (how == "lend", 0)


def test_only_what_was_lent_is_wanted_back_and_once() -> None:
    permits = Permits(2, {"engine": 1})
    permits.acquire("a", lambda: None, "engine")
    with pytest.raises(PermitMisused, match="lent nothing"):
        permits.retake("a", "engine", lambda: None)
    with pytest.raises(PermitMisused):
        permits.retake("nobody", "engine", lambda: None)
    permits.lend("a", "engine")
    permits.acquire("b", lambda: None, "engine")
    permits.retake("a", "engine", lambda: None)

    with pytest.raises(PermitMisused):
        permits.retake("a", "engine", lambda: None)


class LentMachine(RuleBasedStateMachine):
    """Permits of which a class can be lent, against a line: the first in it that may come in does, again and again."""

    @initialize(limit=st.integers(1, 4), cap=st.integers(1, 3))
    def begin(self, limit: int, cap: int) -> None:
        self.limit, self.cap = limit, cap
        self.permits = Permits(limit, {"engine": cap})
        self.line: list[tuple[int, str]] = []
        self.holders: dict[int, bool] = {}  # whether it holds the class
        self.told: list[tuple[int, str]] = []
        self.expected: list[tuple[int, str]] = []

    def settle(self) -> None:
        while (wish := next((one for one in self.line if self.may(*one)), None)) is not None:
            self.line.remove(wish)
            self.holders[wish[0]] = wish[1] != "plain"
            self.expected.append(wish)

    def may(self, owner: int, what: str) -> bool:
        is_let_in = owner in self.holders or len(self.holders) < self.limit
        return is_let_in and (what == "plain" or sum(self.holders.values()) < self.cap)

    def is_known(self, owner: int) -> bool:
        return owner in self.holders or owner in [one for one, _ in self.line]

    @rule(owner=OWNERS, what=st.sampled_from(["plain", "engine"]))
    def acquire(self, owner: int, what: str) -> None:
        if not self.is_known(owner):
            self.permits.acquire(owner, lambda: self.told.append((owner, what)), what)
            self.line.append((owner, what))
            self.settle()

    @rule(owner=OWNERS)
    def lend(self, owner: int) -> None:
        self.permits.lend(owner, "engine")
        self.line = [one for one in self.line if one != (owner, "again")]
        if owner in self.holders:
            self.holders[owner] = False
        self.settle()

    @rule(owner=OWNERS)
    def retake(self, owner: int) -> None:
        if self.holders.get(owner) is False and (owner, "again") not in self.line:
            self.permits.retake(owner, "engine", lambda: self.told.append((owner, "again")))
            self.line.append((owner, "again"))
            self.settle()

    @rule(owner=OWNERS)
    def withdraw(self, owner: int) -> None:
        self.permits.withdraw(owner)
        self.line = [one for one in self.line if one[0] != owner]
        self.holders.pop(owner, None)
        self.settle()

    @invariant()
    def agrees(self) -> None:
        again = [one for one in self.line if one[1] == "again"]
        assert self.told == self.expected
        assert self.permits.in_use == len(self.holders)
        assert self.permits.in_use_of("engine") == sum(self.holders.values()) <= self.cap
        assert (self.permits.waiting, self.permits.waiting_for_more) == (len(self.line) - len(again), len(again))


TestPermitsThatAreLent = LentMachine.TestCase
TestPermitsThatAreLent.settings = settings(deadline=None)
