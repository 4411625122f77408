"""A conductor with all its nodes' BMCs, from its start to its end: most rows of the table are read off this one scene.

It starts with a full store, logs in to every BMC that answers, checks for a while and is asked meanwhile, may then be
asked to power on all machines or be put under the load that is documented, and stops. CPU is that of the conductor's
process as a whole; the BMCs are a process of their own, which is not counted.
"""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from bench import load
from bench.apart import Apart, apart
from bench.checks import Case, Stage
from bench.lateness import Lateness
from bench.load import Burst, Wave
from bench.pacing import Paced, Told
from bench.provisioning import SUCCEEDED
from bench.rows.sizes import Size
from bench.scene import conductor, endpoint_of, fill, names
from bench.simulator import AT_ONCE, REAL, BMCs, Manners, bmcs, silent_numbers
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import decode_reply, encode_verb
from castiron.transport.errors import CastironError
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodePowerSet, NodeSet, NodeShow
from castiron.transport.vocabulary import PowerTarget, ReplyWish

FAST_S: Final = 6.0
"""Between two checks of a node, where not the default is measured."""

PATIENCE_S: Final = 120.0

MANY_OPEN: Final = 0.99
ALL_OPEN: Final = {AT_ONCE: 1.0, REAL: 0.999}
"""Share of the healthy BMCs' sessions that counts as all: where datagrams are lost, one or the other is always anew."""

ASKS_PER_S: Final = 100.0
"""Of one client, every second one for the node's actor, while checks are watched."""

LOAD_PER_S: Final = 2_000.0
LOAD_CLIENTS: Final = 64
WORK_SHARE: Final = 5
"""Of the documented load, one message in so many asks for power, the others look."""

MOST: Final = 0.95
"""Of all nodes powered on at once, the share until which the rate is taken: where BMCs answer as late as real ones, the
last few wait seconds for an answer, each for its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One scene."""

    interval_s: float = FAST_S
    silent_percent: int = 0
    manners: Manners = AT_ONCE
    has_load: bool = False
    """Is put under the documented load."""
    has_power: bool = False
    """All machines are powered on at once."""

    def measure(self, size: Size) -> dict[str, float]:
        """Return figures by name."""
        case = Case(size.nodes, self.interval_s, self.silent_percent)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="castiron-bench-"))
            farm = stack.enter_context(bmcs(size.nodes, silent_percent=self.silent_percent, manners=self.manners))
            clients = stack.enter_context(apart(load.serve))
            store = Path(folder) / "castiron.db"
            fill(store, farm.infos)
            began_s = time.monotonic()
            settings = {
                "sync_power_state_interval_s": self.interval_s,
                "power_check_start_spread_s": size.spread_s,
            }
            server = stack.enter_context(conductor(store, **settings))
            client = stack.enter_context(Client(endpoint_of(store), timeout_s=60.0))
            scene = _Scene(self, size, farm, endpoint_of(store), server, clients, Stage(case, farm, server, client))
            figures = scene.start(began_s) | scene.watch(client)
            if self.has_load:
                figures |= scene.bear()
            if self.has_power:
                figures |= scene.power(client)
            return figures | scene.stop(client)


class _Scene(NamedTuple):
    """A scene while it lasts."""

    fleet: Fleet
    size: Size
    farm: BMCs
    endpoint: str
    server: Apart
    clients: Apart
    stage: Stage

    def start(self, began_s: float) -> dict[str, float]:
        """Wait until it answers, and has logged in to all BMCs that do."""
        imported_s, answered_s = self.server.ready
        self.stage.wait_for_sessions(MANY_OPEN)
        many_s = time.monotonic() - began_s
        self.stage.wait_for_sessions(ALL_OPEN[self.fleet.manners])
        return {
            "answers_s": imported_s + answered_s,
            "sessions_99_percent_open_s": many_s,
            "sessions_open_s": time.monotonic() - began_s,
        }

    def watch(self, client: Client) -> dict[str, float]:
        """Watch the checks; then, while they go on, ask for healthy nodes.

        The window is a whole interval where that is longer: so all nodes are checked in it.
        """
        self.stage.pause(self.size.settling_s)
        checks = self.stage.watch(max(self.size.window_s, self.fleet.interval_s))
        timers = client.status().timers
        told: Told = self.clients.ask(Paced(self.endpoint, self._questions(), 1, ASKS_PER_S, self.size.asking_s))
        asked = {
            "ask_p50_ms": told.p50_us / 1e3,
            "ask_p99_ms": told.p99_us / 1e3,
            "ask_max_ms": told.max_us / 1e3,
            "asks_refused": float(told.busy + told.others),
            "asks_lost": float(told.lost),
        }
        own = {"check_cpu_ms": checks["check_cpu_us"] / 1e3, "timers_late_p99_ms": timers.late_p99_ms}
        return {**checks, **own, **asked}

    def bear(self) -> dict[str, float]:
        """Put it under the documented load."""
        order = Paced(self.endpoint, self._load(), LOAD_CLIENTS, LOAD_PER_S, self.size.documented_s)
        told: Told = self.clients.ask(order)
        return {
            "load_busy": float(told.busy),
            "load_refused": float(told.others),
            "load_lost": float(told.lost),
            "load_p50_ms": told.p50_us / 1e3,
            "load_p99_ms": told.p99_us / 1e3,
            "load_sent_late_p99_ms": told.sent_late_p99_us / 1e3,
        }

    def power(self, client: Client) -> dict[str, float]:
        """Have all machines powered off, as those of the load may be on, then on; the latter is measured.

        A wave that is over before each node was to be checked, as that of a small fleet, leaves lateness to be watched
        on for the rest of an interval.
        """
        until_ended(client)
        targets = [PowerTarget.OFF, PowerTarget.ON] if self.fleet.has_load else [PowerTarget.ON]
        for target in targets[:-1]:
            self.clients.ask(self._wave(target))
        lateness = Lateness(self.server)
        wave: Wave = self.clients.ask(self._wave(targets[-1]))
        self.stage.pause(max(0.0, self.fleet.interval_s - wave.wall_s))
        late = lateness.told()
        if wave.bad:
            print(f"not confirmed: {dict(reasons(wave.bad))}")
        at_s = sorted(wave.ended_at_s)
        most = round(len(at_s) * MOST)
        return {
            "power_all_per_s": most / at_s[most - 1],
            "power_all_s": wave.wall_s,
            "power_all_accepted_per_s": self.size.nodes / wave.accepted_wall_s,
            "power_all_failed": float(len(wave.bad)),
            "power_all_late_p99_ms": late.p99_ms,
        }

    def stop(self, client: Client) -> dict[str, float]:
        """Stop it, and ask the BMCs who has logged out."""
        sessions = client.status().drivers["ipmi"]["sessions"]
        before = self.farm.counts().get("logouts")
        began_s = time.monotonic()
        self.server.end(PATIENCE_S)
        figures = {"stop_s": time.monotonic() - began_s}
        if before is not None:
            figures["left_open"] = float(sessions - (self.farm.counts()["logouts"] - before))
        return figures

    def _questions(self) -> tuple[bytes, ...]:
        """For healthy nodes, in turn: a look, which the front door answers, and a forecast, which the actor does."""
        silent = set(silent_numbers(self.size.nodes, self.fleet.silent_percent))
        every = names(self.size.nodes)
        healthy = [name for number, name in enumerate(every) if number not in silent][:: max(1, self.size.nodes // 500)]
        return tuple(
            body
            for name in healthy
            for body in (
                encode_verb(NodeShow(node=name)),
                encode_verb(NodeSet(node=name, extra={"asked": True}, dry_run=True)),
            )
        )

    def _load(self) -> tuple[bytes, ...]:
        """All nodes in turn: a fifth is asked for power, and looks at others between.

        A node's turn comes again after the load's end, or is merged, so nothing is in its own way.
        """
        every = names(self.size.nodes)
        return tuple(
            encode_verb(
                NodePowerSet(node=name, target=PowerTarget.ON) if number % WORK_SHARE == 0 else NodeShow(node=name)
            )
            for number, name in enumerate(every)
        )

    def _wave(self, target: PowerTarget) -> Burst:
        verbs = (NodePowerSet(node=name, target=target, replies=ReplyWish.BOTH) for name in names(self.size.nodes))
        return Burst(self.endpoint, tuple(encode_verb(verb) for verb in verbs), SUCCEEDED, is_strict=False)


def reasons(bad: Iterable[bytes]) -> Counter[str]:
    """Return why requests did not succeed, by code: of the answer, or of the request that it tells of."""
    outcomes = (decode_reply(body, RequestView).outcome for body in bad)
    return Counter(outcome.code if isinstance(outcome, CastironError) else _code_of(outcome) for outcome in outcomes)


def _code_of(outcome: Struct) -> str:
    return str((outcome.error or {}).get("code", outcome.state)) if isinstance(outcome, RequestView) else "?"


def until_ended(client: Client) -> None:
    """Wait until no request is open.

    Raises:
        TimeoutError: some are open for very long.
    """
    pausing, until_s = threading.Event(), time.monotonic() + PATIENCE_S
    while count := client.status().requests.open:
        if time.monotonic() > until_s:
            raise TimeoutError(f"{count} requests have not ended after {PATIENCE_S:.0f} s")
        pausing.wait(0.1)
