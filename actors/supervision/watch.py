"""The conductor's own watch: are its threads alive, and does a turn of an actor hang?

One thread, once a second. A pool thread that died is replaced; a node's actor that hangs is reported to the supervisor
and its thread's place filled; anything else that died cannot be rebuilt while the conductor runs, so the conductor is
told to fail with a clear reason, which loses nothing: what was accepted is on disk. Looks only; decides nothing about
nodes.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from castiron.actors.dispatch.dispatcher import SlowTurn
from castiron.actors.dispatch.pool import SLOW_TURN_S, PoolDispatcher
from castiron.actors.nodes.node import NodeActor
from castiron.actors.supervision.kin import Hung, Seat

log = logging.getLogger(__name__)

ROUND_S: Final = 1.0
"""Between two looks: with the restart delays of the supervisor, a successor is there within two seconds."""

TELL_ROUNDS: Final = 60
"""Looks between two lines about slow turns: a minute."""

IsAlive = Callable[[], bool]


class Watch:
    """Looks after the threads of one conductor."""

    def __init__(
        self,
        *,
        dispatcher: PoolDispatcher,
        supervisor: Seat,
        threads: Mapping[str, IsAlive],
        slow_turn_s: float = SLOW_TURN_S,
        hung_turn_s: float,
        failed: Callable[[str], None],
    ) -> None:
        """Prepare it.

        Args:
            threads: what must live, by the name that people read.
            slow_turn_s: seconds from which on a turn counts as slow.
            hung_turn_s: seconds after which a turn counts as hung.
            failed: told, once, what died.
        """
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._threads = threads
        self._slow_turn_s = min(slow_turn_s, hung_turn_s)
        self._slow_told = 0
        self._told_round = -TELL_ROUNDS
        self._round = 0
        self._hung_turn_s = hung_turn_s
        self._failed = failed
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
        """Return for each watched thread whether it lives, for `status`."""
        return {name: "alive" if is_alive() else "dead" for name, is_alive in self._threads.items()}

    def look(self) -> None:
        """Look once."""
        replaced = self._dispatcher.mend()
        if replaced:
            log.error("%d dispatcher threads had died and were replaced", replaced)
        slow = self._dispatcher.stuck(self._slow_turn_s)  # whoever is seen here can be named once it has ended
        self._tell_slow()
        stuck = [turn for turn in slow if turn.lasts_s >= self._hung_turn_s]
        for turn in stuck:
            self._report(turn)
        if len(stuck) >= self._dispatcher.counters()["threads"]:
            return self._give_up(f"all {len(stuck)} dispatcher threads hang")
        for name, is_alive in self._threads.items():
            if not is_alive():
                return self._give_up(f"the {name} has died")
        return None

    def _tell_slow(self) -> None:
        """Tell of slow turns that have ended, in a line a minute at the most."""
        self._round += 1
        count, latest = self._dispatcher.counters()["slow_turns"], self._dispatcher.lasted()
        if latest is None or count == self._slow_told or self._round - self._told_round < TELL_ROUNDS:
            return
        log.warning(
            "%d slow turns since the last such line; the latest was %s in %s, %.1f s",
            count - self._slow_told,
            latest.actor,
            latest.message or "a message that ended before anybody looked",
            latest.lasted_s,
        )
        self._slow_told, self._told_round = count, self._round

    def _report(self, turn: SlowTurn) -> None:
        if not self._dispatcher.replace_hung(turn):
            return
        log.error("%s hangs in %s for %.1f s; it is replaced", turn.actor, turn.message, turn.lasts_s)
        if isinstance(turn.runnable, NodeActor):
            reason = f"hung for {turn.lasts_s:.1f} s in {turn.message}"
            node = turn.runnable
            self._supervisor.tell(Hung(uuid=node.uuid, generation=node.generation, reason=reason))
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
