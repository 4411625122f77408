"""The soak: a conductor under faults, users and subscribers for a while, after which nothing of it may have grown.

    python -m bench.soak                                     # 10 minutes, 2,000 nodes; `make soak`
    python -m bench.soak --nodes 200 --seconds 60 --seed 7   # as in CI

The conductor and the BMCs are processes of their own. From one seed: BMCs fall silent and come back, reboot and forget
their sessions, machines are switched behind the conductor's back, datagrams are lost; some BMCs are slow, flood, forge
or let nobody in, some speak Redfish, and hang or fail; users ask for power and look; subscribers come, follow or never
read, and go. After a warm-up, in which all of that happens too, the conductor is
sampled; at the end everything is healed, and every node must be checked and in order again. `bench/growth.py` judges.
"""

import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import click
from msgspec.structs import asdict

from bench.apart import Apart
from bench.growth import Bound, Verdict, judge
from bench.misfits import ILLS, REDFISH_ILLS, Misfits, misfits
from bench.scene import conductor, endpoint_of, fill, names
from bench.simulator import BMCs, bmcs, python_bmcs
from bench.weather import Outbreak, Subscribers, Users, Weather
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import CheckCounts, StatusView

TICK_S: Final = 0.5
"""Between two turns of the weather, the users and the subscribers."""

WARM_UP: Final = 0.25
"""Of the whole time. In it tables reach their size: sessions, heaps, Python's own caches."""

SAMPLES: Final = 120
"""At the most; the judge's work grows with their square."""

HEALING_S: Final = 120.0
"""For all nodes to be in order once their BMCs are: a recovery interval and a login, on a busy machine."""

RECOVERY_S: Final = 10.0
"""Between two looks at a node with a fault; the default would see each at most once in a soak."""

REQUEST_KB: Final = 2.5
REQUEST_BLOCKS: Final = 25.0
"""What an ended request may take: 10,000 of them are remembered, so that is no leak. Measured: 1.8 kB, 18 blocks."""

FIRST_TIMES: Final = 100.0 * len({*ILLS, *REDFISH_ILLS})
"""Blocks for what misfits do for the first time while it is judged: measured as one step of 600 and smaller ones in a
minute, and none of them in the next two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a soak is made of."""

    nodes: int = 2_000
    seconds: float = 600.0
    seed: int = 1
    interval_s: float = 5.0
    """Between two power checks of a node: five times as often as by default, so that ten minutes are many rounds."""
    requests_per_s: float = 5.0
    is_python: bool = False
    """Use castiron's own farm, also where the one in C can be built."""

    @property
    def misfits(self) -> int:
        """Nodes beside them whose BMCs do worse than fall silent."""
        return max(10, self.nodes // 50)

    @property
    def redfish(self) -> int:
        """Nodes beside them whose BMCs speak Redfish, and do so as well."""
        return max(5, self.nodes // 100)

    @property
    def settings(self) -> dict[str, float]:
        """The conductor's."""
        return {
            "sync_power_state_interval_s": self.interval_s,
            "power_check_start_spread_s": min(self.interval_s, 10.0),
            "power_check_backoff_max_s": self.interval_s * 2,
            "power_failure_recovery_interval_s": RECOVERY_S,
            "power_state_sync_max_retries": 1,
        }


USUAL: Final = Plan()


class Sample(NamedTuple):
    """The conductor at one moment."""

    at_s: float
    gauges: Mapping[str, float]


class Report(NamedTuple):
    """What came of a soak."""

    verdicts: list[Verdict]
    samples: list[Sample]
    """All that the verdicts were made of, and what explains them: faults, load."""
    checks: Mapping[str, int]
    """Result → how many, while it was judged."""
    requests: Mapping[str, int]
    """What users were told → how often."""
    faults: Mapping[str, int]
    """What was done to BMCs → how often."""
    events: int
    """That subscribers heard."""
    unhealed: list[str]
    """What was not in order again at the end, in words."""
    served_by: str

    @property
    def is_held(self) -> bool:
        """Whether nothing grew and everything was in order at the end."""
        return not self.unhealed and all(verdict.is_held for verdict in self.verdicts)


def soak(plan: Plan) -> Report:
    """Run a soak. Blocks for its seconds, and until all is healed."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="castiron-soak-"))
        serve = python_bmcs if plan.is_python else bmcs
        farm = stack.enter_context(serve(plan.nodes, seed=plan.seed))
        odd = stack.enter_context(misfits(plan.misfits, plan.redfish, seed=plan.seed))
        store = Path(folder) / "castiron.db"
        fill(store, [*farm.infos, *odd.infos])
        server = stack.enter_context(conductor(store, **plan.settings))
        client = stack.enter_context(Client(endpoint_of(store), timeout_s=30.0))
        for number, info in enumerate(odd.redfish_infos):
            client.nodes.create(f"redfish{number}", driver="redfish", driver_info=info)
        stage = _Stage(plan, farm, odd, server, client)
        stack.callback(stage.end)
        return stage.run()


class _Stage:
    """Everything of one soak while it runs."""

    def __init__(self, plan: Plan, farm: BMCs, odd: Misfits, server: Apart, client: Client) -> None:
        self._plan = plan
        self._server = server
        self._client = client
        self._farm = farm
        self._weather = Weather(farm, Random(f"{plan.seed}/weather"))
        self._outbreak = Outbreak(odd, Random(f"{plan.seed}/outbreak"))
        nodes = [*names(plan.nodes + plan.misfits), *(f"redfish{number}" for number in range(plan.redfish))]
        self._users = Users(client, nodes, Random(f"{plan.seed}/users"), plan.requests_per_s * TICK_S)
        events_endpoint = client.hello().events_endpoint
        if events_endpoint is None:
            raise RuntimeError("the conductor publishes no events")
        self._subscribers = Subscribers(events_endpoint, Random(f"{plan.seed}/subscribers"))
        self._pause = threading.Event()

    def run(self) -> Report:
        """Warm up, take samples, heal, and judge."""
        plan = self._plan
        self._go_on(plan.seconds * WARM_UP, every_s=None)
        before, asked = self._client.status(), self._users.told.total()
        judged_s = plan.seconds * (1 - WARM_UP)
        samples = self._go_on(judged_s, every_s=max(TICK_S, judged_s / SAMPLES))
        after, asked = self._client.status(), self._users.told.total() - asked
        checks = counted(after.checks) - counted(before.checks)
        bounds = bounds_of(plan.nodes + plan.misfits, redfish=plan.redfish, requests=asked, checks=checks.total())
        times_s = [sample.at_s for sample in samples]
        gauges = {name: [sample.gauges[name] for sample in samples] for name in samples[0].gauges}
        return Report(
            verdicts=judge(times_s, gauges, bounds),
            samples=samples,
            checks=checks,
            requests=dict(self._users.told),
            faults=dict(self._weather.done + self._outbreak.done),
            events=self._subscribers.heard,
            unhealed=self._heal(),
            served_by=self._farm.note,
        )

    def end(self) -> None:
        """Let go of what is held. Idempotent."""
        self._subscribers.end()

    def _go_on(self, seconds: float, every_s: float | None) -> list[Sample]:
        """Let things happen for so long, and take a sample every so often."""
        samples: list[Sample] = []
        begins_s = turns_s = time.monotonic()
        sampled_s = begins_s
        while (now_s := time.monotonic()) < begins_s + seconds:
            self._weather.turn(now_s)
            self._outbreak.turn(now_s)
            self._users.turn()
            self._subscribers.turn(now_s)
            if every_s is not None and now_s >= sampled_s:
                samples.append(self._sample(now_s))
                sampled_s += every_s
            turns_s += TICK_S
            self._pause.wait(max(0.0, turns_s - time.monotonic()))
        return samples

    def _sample(self, now_s: float) -> Sample:
        status = self._client.status()
        ipmi, redfish = status.drivers["ipmi"], status.drivers["redfish"]
        return Sample(
            now_s,
            {
                **self._server.ask("gauges"),
                **self._server.held(),
                "sessions": ipmi["sessions"],
                "bmc_calls": ipmi["in_flight"] + ipmi["waiting"],
                "redfish_sessions": redfish["sessions"],
                "redfish_connections": redfish["connections"],
                "redfish_calls": redfish["in_flight"] + redfish["waiting"],
                "redfish_hung": redfish["hung"],
                "muted": ipmi["muted"],
                "mailboxes": status.actors["ready"],
                "open_requests": status.requests.open,
                "waiters": status.requests.waiters,
                "peers": status.transport["peers"],
                "events_waiting": status.transport["events_waiting"],
                "store_backlog": status.store.backlog,
                "faults": status.nodes["fault"],
                "silent": len(self._weather.silent_until_s),
                "late_p99_ms": status.checks.late_p99_ms or 0.0,
                "load": os.getloadavg()[0],
            },
        )

    def _heal(self) -> list[str]:
        """End all faults; return what is not in order when there has been time enough for it."""
        self._weather.heal()
        self._outbreak.heal()
        until_s = time.monotonic() + HEALING_S
        while (wrong := out_of_order(self._client.status(), self._plan)) and time.monotonic() < until_s:
            self._pause.wait(TICK_S)
        return wrong


def counted(checks: CheckCounts) -> Counter[str]:
    """Return what `status` counts of checks, without what it says of their pace."""
    return Counter({name: value for name, value in asdict(checks).items() if isinstance(value, int)})


def out_of_order(status: StatusView, plan: Plan) -> list[str]:
    """Say in words what is not as it must be once every BMC is healthy and nobody asks for anything."""
    found = {
        "nodes with a fault": status.nodes["fault"],
        "nodes in maintenance": status.nodes["maintenance"],
        "machines in an unknown power state": status.nodes["unknown"],
        "BMCs without a session": plan.nodes + plan.misfits - status.drivers["ipmi"]["sessions"],
        "Redfish BMCs without a session": plan.redfish - status.drivers["redfish"]["sessions"],
        "requests that have not ended": status.requests.open,
        "permits that are held": status.requests.running,
    }
    return [f"{count} {what}" for what, count in found.items() if count]


def bounds_of(nodes: int, *, redfish: int, requests: int, checks: int) -> dict[str, Bound]:
    """Return what each gauge may do while it is judged.

    Args:
        nodes: with IPMI.
        redfish: nodes with Redfish.
        requests: that users made while it was judged.
        checks: that there were meanwhile.
    """
    return {
        "rss_mb": Bound(growth=2.0 + requests * REQUEST_KB / 1e3, why="2 MB, and 2.5 kB for each remembered request"),
        "blocks": Bound(
            growth=1_000 + FIRST_TIMES + nodes + requests * REQUEST_BLOCKS + checks / 20,
            why="2,600, one a node, 25 for each remembered request, one for each twentieth check",
        ),
        "descriptors": Bound(growth=5.0 + redfish, why="subscribers come and go; a connection each Redfish BMC"),
        "threads": Bound(growth=redfish, ceiling=25 + 2 * redfish, why="a Redfish BMC that hangs holds one for 15 s"),
        "sessions": Bound(growth=nodes / 10, ceiling=nodes, why="one a node; a tenth of the BMCs is ill"),
        "clock_live": Bound(growth=nodes / 10 + 20, ceiling=nodes * 3, why="the check's and an action's timers"),
        "clock_heap": Bound(growth=1_000 + nodes / 10, ceiling=nodes * 6 + 1_002, why="COMPACT_ABOVE cancelled ones"),
        "engine_heap": Bound(growth=nodes / 4, ceiling=nodes * 4, why="patience, deadline, keepalive of a session"),
        "bmc_calls": Bound(growth=nodes / 10, ceiling=nodes * 2, why="one a node, and one that overtakes it"),
        "redfish_sessions": Bound(growth=redfish / 2, ceiling=redfish, why="one a node; half of the BMCs are ill"),
        "redfish_connections": Bound(growth=redfish / 2, ceiling=redfish, why="as above"),
        "redfish_calls": Bound(growth=redfish / 2, ceiling=redfish * 2, why="one a node, and one that overtakes it"),
        "redfish_hung": Bound(growth=1.0, ceiling=redfish, why="what hangs is aborted, and ends at once"),
        "muted": Bound(growth=nodes / 50, ceiling=nodes / 50 * 4, why="those that flood, on each of four sockets"),
        "mailboxes": Bound(growth=nodes / 20, why="none waits for long"),
        "open_requests": Bound(growth=nodes / 10, ceiling=nodes, why="those that wait for ill BMCs"),
        "waiters": Bound(growth=0.5, why="none"),
        "peers": Bound(growth=0.5, ceiling=2, why="one client"),
        "events_waiting": Bound(growth=nodes / 10, ceiling=16_384, why="the publisher's MAX_WAITING"),
        "store_backlog": Bound(growth=nodes / 20, why="commits land within milliseconds"),
    }


@click.command()
@click.option("--nodes", default=USUAL.nodes, show_default=True)
@click.option("--seconds", default=USUAL.seconds, show_default=True, help="Warm-up included.")
@click.option("--seed", default=USUAL.seed, show_default=True, help="Of all that happens.")
@click.option("--interval-s", default=USUAL.interval_s, show_default=True, help="Between two checks of a node.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all samples there.")
def main(*, nodes: int, seconds: float, seed: int, interval_s: float, file: Path | None) -> None:
    """Soak a conductor; exit with 1 if anything of it grew, or was not in order at the end."""
    from bench import report  # noqa: PLC0415 - spawned processes load this file, and need no console

    told = soak(Plan(nodes=nodes, seconds=seconds, seed=seed, interval_s=interval_s))
    report.show_soak(told)
    if file is not None:
        file.write_text(
            json.dumps([{"at_s": sample.at_s, **sample.gauges} for sample in told.samples], indent=2) + "\n"
        )
    raise SystemExit(not told.is_held)


if __name__ == "__main__":
    main()
