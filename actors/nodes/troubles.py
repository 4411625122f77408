"""What the log says of BMCs that fail: when it begins, that it goes on, and when it is over, in few lines.

A BMC that is dead fails with every check and every request, for days. Of each node and kind of failure there is a line
at once, then one with a count after a minute, after two more, four, up to one an hour; and one when the BMC does as it
is told again. So the log tells of a thousand dead BMCs in some lines a second at first, and in one every few seconds
later. Decides what is to be said, keeps the count, and has the time handed in; nothing is written here but by `tell`.
"""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from castiron.actors.core.telling.explanation import BMCTrouble
from castiron.actors.drivers.base import NotDone, Outcome
from castiron.transport.errors import BMCError, BMCUnsupported, CastironError
from castiron.transport.vocabulary import Instant, NodeUUID

log = logging.getLogger(__name__)

PAUSE_S: Final = 60.0
"""At least this long between two lines about the same failure of the same node, and between two about its end."""

MAX_PAUSE_S: Final = 3_600.0
"""The pause doubles up to this: somebody who begins to read the log now learns of each dead BMC within the hour."""

MAX_NODES: Final = 10_000
"""Nodes that account is kept of, at 0.6 KB each. Failures of others are counted together."""


class Line(NamedTuple):
    """A line for the log."""

    level: int
    text: str
    extra: dict[str, Any]


@dataclass(slots=True)
class _Kind:
    """One kind of failure of one node."""

    since: Instant
    next_at: float = 0.0
    told_at: float = 0.0
    pause_s: float = PAUSE_S
    untold: int = 0
    total: int = 0


@dataclass(slots=True)
class _Trouble:
    """A node that fails, or did lately."""

    kinds: dict[str, _Kind] = field(default_factory=dict[str, _Kind])
    is_told: bool = False
    """The log's last word is that its BMC fails."""
    told_at: float = 0.0
    over_next_at: float = 0.0


class Troubles:
    """The account of one conductor. Any thread; takes a lock only where there is, or was, a failure."""

    def __init__(self, max_nodes: int = MAX_NODES) -> None:
        self._max_nodes = max_nodes
        self._lock = threading.Lock()
        self._troubles: OrderedDict[NodeUUID, _Trouble] = OrderedDict()
        self._beyond = _Kind(Instant(0.0))

    def __len__(self) -> int:
        """Return how many nodes' account is kept."""
        return len(self._troubles)

    def failing(self) -> int:
        """Return how many nodes' BMCs fail as far as the log has told it. O(nodes that fail)."""
        with self._lock:
            return sum(trouble.is_told for trouble in self._troubles.values())

    def account(self, uuid: NodeUUID) -> BMCTrouble | None:
        """Return what has been noted of a node's BMC since it failed; None: nothing, or it does as it is told again."""
        with self._lock:
            trouble = self._troubles.get(uuid)
            kinds = {} if trouble is None else {code: kind for code, kind in trouble.kinds.items() if kind.total}
            if not kinds:
                return None
            counts = {code: kind.total for code, kind in kinds.items()}
            return BMCTrouble(since=min(kind.since for kind in kinds.values()), counts=counts)

    def forget(self, uuid: NodeUUID) -> None:
        """Forget a node that is no more. Idempotent."""
        with self._lock:
            self._troubles.pop(uuid, None)

    def tell(self, uuid: NodeUUID, name: str, outcome: Outcome, now: Instant) -> None:
        """Log what is to be said of an outcome, which is mostly nothing."""
        for line in self.heard(uuid, name, outcome.error if isinstance(outcome, NotDone) else None, now):
            log.log(line.level, "%s", line.text, extra=line.extra)

    def heard(self, uuid: NodeUUID, name: str, error: CastironError | None, now: Instant) -> list[Line]:
        """Take note of an outcome, and return what is to be said.

        Args:
            uuid: the node.
            name: what it is called.
            error: None: the BMC did as it was told.
            now: what time it is.
        """
        if error is None:
            if uuid not in self._troubles:
                return []
            with self._lock:
                return self._well(uuid, name, now)
        if not isinstance(error, BMCError):
            return []
        with self._lock:
            return self._failed(uuid, name, error, now)

    def _failed(self, uuid: NodeUUID, name: str, error: BMCError, now: Instant) -> list[Line]:
        trouble = self._trouble(uuid, now)
        if trouble is None:
            return self._failed_beyond(now)
        kind = trouble.kinds.setdefault(error.code, _Kind(now))
        if not kind.total:
            kind.since = now
        kind.total += 1
        if now < kind.next_at:
            kind.untold += 1
            return []
        more = _more(kind, now)
        kind.told_at, kind.next_at = now, now + kind.pause_s
        kind.pause_s = min(2 * kind.pause_s, MAX_PAUSE_S)
        trouble.told_at = now
        trouble.is_told |= not isinstance(error, BMCUnsupported)  # what a BMC cannot do is never over
        self._troubles.move_to_end(uuid)
        extra = {"node": name, "node_uuid": uuid, "code": error.code}
        return [Line(logging.WARNING, f"{name}: {error.message}{more}", extra)]

    def _well(self, uuid: NodeUUID, name: str, now: Instant) -> list[Line]:
        trouble = self._troubles.get(uuid)
        if trouble is None:
            return []
        if not trouble.is_told:
            if now >= max([trouble.over_next_at, *(kind.next_at for kind in trouble.kinds.values())]):
                del self._troubles[uuid]
            return []
        if now < trouble.over_next_at:
            return []  # it comes and goes; the next good word that may be told is
        counts = {code: kind.total for code, kind in trouble.kinds.items() if kind.total}
        since = min(kind.since for kind in trouble.kinds.values() if kind.total)
        for kind in trouble.kinds.values():
            kind.total = kind.untold = 0
            kind.pause_s = PAUSE_S
            kind.next_at = min(kind.next_at, kind.told_at + PAUSE_S)
        trouble.is_told, trouble.over_next_at = False, now + PAUSE_S
        told = ", ".join(f"{count} {code}" for code, count in counts.items())
        text = f"{name}: its BMC does as it is told again, after {now - since:.0f} s and {told}"
        return [Line(logging.INFO, text, {"node": name, "node_uuid": uuid})]

    def _trouble(self, uuid: NodeUUID, now: Instant) -> _Trouble | None:
        """Return a node's account; None: there is none, and no room for one."""
        trouble = self._troubles.get(uuid)
        if trouble is None:
            if len(self._troubles) >= self._max_nodes and not self._make_room(now):
                return None
            trouble = self._troubles[uuid] = _Trouble(told_at=now)
        return trouble

    def _make_room(self, now: Instant) -> bool:
        """Forget the node that was told of longest ago, if that is longer ago than a pause."""
        uuid, oldest = next(iter(self._troubles.items()))
        if now - oldest.told_at < PAUSE_S:
            return False
        del self._troubles[uuid]
        return True

    def _failed_beyond(self, now: Instant) -> list[Line]:
        self._beyond.untold += 1
        if now < self._beyond.next_at:
            return []
        count, self._beyond.untold = self._beyond.untold, 0
        self._beyond.next_at = now + PAUSE_S
        text = f"{count} more failures of BMCs: {self._max_nodes} fail already, and no account is kept of more"
        return [Line(logging.WARNING, text, {})]


def _more(kind: _Kind, now: Instant) -> str:
    """Return how often it happened since the last line, and begin to count anew."""
    untold, kind.untold = kind.untold, 0
    if not untold:
        return ""
    times = "once more" if untold == 1 else f"{untold} more times"
    return f" ({times} in the last {now - kind.told_at:.0f} s)"
