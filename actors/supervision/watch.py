"""The conductor's own watch: are its threads alive, do they come back, and does a turn of an actor last too long?

One thread, once a second. A slow turn is named; a pool thread that died is replaced; a node's actor that hangs is
reported to the supervisor and its thread's place filled; an actor that works for a single client ends. Any other thread
that hangs is named with where it stands; one that has died, or hangs for good though it waits for nobody, cannot be
rebuilt while the conductor runs, so the conductor is told to fail with a clear reason, which loses nothing: what was
accepted is on disk. Looks only; decides nothing about nodes.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, runtime_checkable

from castiron.actors.dispatch.dispatcher import SlowTurn
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.metrics.slowness import SlowTurns
from castiron.actors.nodes.node import NodeActor
from castiron.actors.supervision.heartbeat import Beating, Heartbeats, Stay
from castiron.actors.supervision.kin import Hung, Seat

log = logging.getLogger(__name__)

ROUND_S: Final = 1.0
"""Between two looks: with the restart delays of the supervisor, a successor is there within two seconds."""

FRESH_S: Final = 5.0
"""A look that is older says nothing of now."""

GIVE_UP: Final = 3
"""After so many times the bound of a hang, a thread that waits for nobody is given up."""

GIVE_UP_LOOKS: Final = 10
"""And never sooner than this: a machine that is overloaded is not a thread that hangs."""

MAY_WAIT: Final = frozenset({"store writer", "archive"})
"""They wait for the disk, which a restart does not mend; they are named, and not given up."""


class Watched(Protocol):
    """A part with a thread. One that is also Beating is watched for hangs."""

    def is_alive(self) -> bool:
        """Return whether it does its work. Any thread."""
        ...


@runtime_checkable
class Expendable(Protocol):
    """An actor that works for one client, and that nobody replaces."""

    def end_hung(self, reason: str) -> None:
        """End it, and tell its client: its turn does not end. Any thread; never blocks. Idempotent."""
        ...


class Watch:
    """Looks after the threads of one conductor."""

    def __init__(
        self,
        *,
        dispatcher: PoolDispatcher,
        supervisor: Seat,
        parts: Mapping[str, Watched],
        hung_turn_s: float,
        slow_turn_s: float = math.inf,
        slowness: SlowTurns | None = None,
        overdue: Callable[[], Iterable[Hung]] = tuple,
        sample: Callable[[], object] = tuple,
        failed: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare it.

        Args:
            parts: what must live, by the name that people read; those that are Beating must also come back.
            hung_turn_s: seconds after which a turn, or a thread's piece of work, counts as hung.
            slow_turn_s: seconds after which a turn is slow; one that lasts a round longer is told while it goes on.
            slowness: names slow turns in the log; None: one of its own, that hears of those only that it has seen.
            overdue: yields the owners that do not end their actions.
            sample: called at the end of each look.
            failed: told, once, what died.
            monotonic: seconds, never going backwards.
        """
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._parts = parts
        self._hung_turn_s = hung_turn_s
        self._slow_turn_s = slow_turn_s
        self._slowness = slowness or SlowTurns(time.monotonic)
        self._overdue = overdue
        self._sample = sample
        self._failed = failed
        beating = {name: part for name, part in parts.items() if isinstance(part, Beating)}
        self._heartbeats = Heartbeats(beating)
        self._hung_looks = math.ceil(hung_turn_s / ROUND_S)
        self._hung: dict[str, Stay] = {}
        self._slow: set[tuple[str, int]] = set()
        self._hung_count = 0
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="castiron-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Idempotent; blocks for at most one round."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(ROUND_S * 2)

    def states(self) -> dict[str, str]:
        """Return for each watched thread whether it lives, for `status`: alive, hung or dead. Any thread."""
        hung = self._hung
        return {
            name: ("hung" if name in hung else "alive") if part.is_alive() else "dead"
            for name, part in self._parts.items()
        }

    def is_well(self) -> bool:
        """Return whether the latest look is not old, all threads live, and none hangs but for the disk. Any thread."""
        is_fresh = self._monotonic() - self._looked_at < FRESH_S
        return is_fresh and all(
            state == "alive" or (state == "hung" and name in MAY_WAIT) for name, state in self.states().items()
        )

    def counters(self) -> dict[str, int]:
        """Return how many of the threads' pieces of work hung since the start. Any thread."""
        return {"threads_hung_ever": self._hung_count}

    def is_alive(self) -> bool:
        """Return whether somebody looks."""
        return self._thread.is_alive()

    def look(self) -> None:
        """Look once."""
        replaced = self._dispatcher.mend()
        if replaced:
            log.error("%d dispatcher threads had died and were replaced", replaced)
        self._name_slow()
        stuck = self._dispatcher.stuck(self._hung_turn_s)
        for turn in stuck:
            self._report(turn)
        if len(stuck) >= self._dispatcher.counters()["threads"]:
            return self._give_up(f"all {len(stuck)} dispatcher threads hang")
        for name, part in self._parts.items():
            if not part.is_alive():
                return self._give_up(f"the {name} has died")
        for hung in self._overdue():
            log.error("node %s: %s; it is replaced", hung.uuid, hung.reason, extra={"node_uuid": hung.uuid})
            self._supervisor.tell(hung)
        self._look_for_hung()
        self._sample()
        self._looked_at = self._monotonic()
        return None

    def _name_slow(self) -> None:
        """Have each turn named that is slow, once."""
        going_on = {(turn.worker, turn.turn): turn for turn in self._dispatcher.stuck(self._slow_turn_s)}
        for key, turn in going_on.items():
            if key not in self._slow:
                self._slowness.goes_on(turn)
        self._slow = {*going_on}
        self._slowness.look()

    def _look_for_hung(self) -> None:
        stays = {stay.name: stay for stay in self._heartbeats.look() if stay.looks >= self._hung_looks}
        for name, stay in stays.items():
            if name not in self._hung:
                self._hung_count += 1
                log.error("the %s hangs for %.0f s at %s", name, stay.looks * ROUND_S, stay.where)
        for name in self._hung.keys() - stays.keys():
            log.warning("the %s goes on", name)
        self._hung = stays
        for name, stay in stays.items():
            if name not in MAY_WAIT and stay.looks >= max(GIVE_UP * self._hung_looks, GIVE_UP_LOOKS):
                self._give_up(f"the {name} hangs at {stay.where}")

    def _report(self, turn: SlowTurn) -> None:
        if not self._dispatcher.replace_hung(turn):
            return
        log.error("%s hangs in %s for %.1f s; its thread is replaced", turn.actor, turn.message, turn.lasts_s)
        if isinstance(turn.runnable, NodeActor):
            reason = f"hung for {turn.lasts_s:.1f} s in {turn.message}"
            node = turn.runnable
            self._supervisor.tell(Hung(uuid=node.uuid, generation=node.generation, reason=reason))
        elif isinstance(turn.runnable, Expendable):
            turn.runnable.end_hung(f"hung for {turn.lasts_s:.1f} s in {turn.message}")
        else:
            self._give_up(f"{turn.actor} hangs in {turn.message}")

    def _give_up(self, reason: str) -> None:
        self._stop.set()
        self._failed(reason)

    def _run(self) -> None:
        while not self._stop.wait(ROUND_S):
            try:
                self.look()
            except Exception:
                log.exception("a look at the threads failed; the next one follows in %s s", ROUND_S)
