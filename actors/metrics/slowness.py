"""What the log says of turns that take too long: which actor, which message, how long, in few lines.

A turn of an actor holds a thread that others wait for, so one that takes `slow_turn_s` is a bug, or a machine without
time. Of each actor and kind of message there is a line at once, and then one a minute at the most, with a count. Says
the class of the message and the id of its request, never what is in it.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from castiron.actors.dispatch.dispatcher import Lasted, SlowTurn

log = logging.getLogger(__name__)

PAUSE_S: Final = 60.0
"""Between two lines about one kind of message of one actor."""

MAX_ACCOUNTS: Final = 1_000
"""Pairs of actor and message that account is kept of, at 0.5 KB each; slow turns of others are counted together."""

OTHERS: Final = ("other actors", None)
"""Who is beyond that."""


class _Line(NamedTuple):
    text: str
    request: str | None


@dataclass(slots=True)
class _Account:
    """One kind of message of one actor."""

    told_at: float
    is_going_on: bool = False
    """The latest line was of a turn that had not ended; its end is no other turn."""
    untold: int = 0
    most_s: float = 0.0
    request: str | None = None
    """Of the latest that was not told."""


class SlowTurns:
    """The account of one conductor. Any thread; nothing is slow here but the log.

    Args:
        now: seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float], max_accounts: int = MAX_ACCOUNTS) -> None:
        self._now = now
        self._max_accounts = max_accounts
        self._lock = threading.Lock()
        self._accounts: OrderedDict[tuple[str, str | None], _Account] = OrderedDict()

    def ended(self, turn: Lasted) -> None:
        """Take note of a slow turn that has ended."""
        with self._lock:
            line = self._count(turn)
        if line is not None:
            _say(line)

    def goes_on(self, turn: SlowTurn) -> None:
        """Take note of a slow turn that has not ended; of each turn once."""
        now = self._now()
        with self._lock:
            account, is_new = self._account(turn.actor, turn.message, now)
            is_told = is_new or now - account.told_at >= PAUSE_S
            if is_told:
                account.told_at, account.is_going_on = now, True
        if is_told:
            _say(_Line(f"{turn.actor} is slow: {turn.lasts_s:.1f} s in {turn.message}, and not done", None))

    def look(self) -> None:
        """Say what was counted, where a minute is over, and forget who was slow no more. Called once a second."""
        now = self._now()
        with self._lock:
            over = [(key, one) for key, one in self._accounts.items() if now - one.told_at >= PAUSE_S]
            lines = [_more(key, one, now) for key, one in over if one.untold]
            for key, one in over:
                if one.untold:
                    one.told_at, one.untold, one.most_s = now, 0, 0.0
                else:
                    del self._accounts[key]
        for line in lines:
            _say(line)

    def _count(self, turn: Lasted) -> _Line | None:
        now = self._now()
        account, is_new = self._account(turn.actor, turn.message, now)
        if account.is_going_on:
            account.is_going_on = False
            return None
        if is_new:
            return _Line(f"{turn.actor} was slow: {turn.lasted_s:.2f} s in {_named(turn)}", turn.request)
        account.untold += 1
        account.most_s = max(account.most_s, turn.lasted_s)
        account.request = turn.request
        return None

    def _account(self, actor: str, message: str | None, now: float) -> tuple[_Account, bool]:
        """Return the account of an actor's messages, and whether it is new: nothing was said for a minute."""
        key = (actor, message)
        if key not in self._accounts and len(self._accounts) >= self._max_accounts:
            key = OTHERS
        account = self._accounts.get(key)
        if account is not None:
            return account, False
        account = self._accounts[key] = _Account(told_at=now)
        return account, True


def _named(turn: Lasted) -> str:
    return (turn.message or "unknown") + (f" of request {turn.request}" if turn.request else "")


def _more(key: tuple[str, str | None], account: _Account, now: float) -> _Line:
    actor, message = key
    turns = "1 more slow turn" if account.untold == 1 else f"{account.untold} more slow turns"
    latest = f", the latest of request {account.request}" if account.request else ""
    lately = f"in the last {now - account.told_at:.0f} s, up to {account.most_s:.2f} s"
    text = f"{actor}: {turns} in {message or 'unknown'} {lately}"
    return _Line(text + latest, account.request)


def _say(line: _Line) -> None:
    log.warning("%s", line.text, extra={"request": line.request})
