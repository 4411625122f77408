"""Clients that flood a conductor, from a process of their own: bounded, refused at named bounds only, and drained.

And as many who wait for their answers, as the benchmarks have them: none of them is refused.

CASTIRON_FLOOD_S makes it longer; 30 is the long run, and prints its figures with -s.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from castiron.actors.limits import BOUNDS
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import StatusView
from tests.support.deadline import until

CLIENTS = 64
WINDOW = 8
NODES = 20
CROWD_NODES = 500
LASTS_S = float(os.environ.get("CASTIRON_FLOOD_S", "6"))
LOOK_S = 0.1
"""Between two looks at the conductor."""

GROWTH_BYTES = 150 << 20
"""Ten thousand ended requests that are remembered, and what is under way; the same however long the flood.

The store is on a disk: one in memory grows by what is kept for 48 hours.
"""

LATE_MS = 3_000
"""Generous: a check is due each second on a machine that the flood fills."""

SETTINGS = Settings(
    work_rate_per_s=300.0,
    work_rate_burst=300,
    read_rate_per_s=1000.0,
    read_rate_burst=1000,
    max_open_requests=60,
    max_open_requests_per_requester=50,
    max_concurrent_power=5,
    sync_power_state_interval_s=1.0,
    power_check_start_spread_s=0.0,
)


def test_a_flood_of_clients_is_bounded_refused_at_named_bounds_and_drains(tmp_path: Path) -> None:
    with (
        running_conductor(settings=SETTINGS, store=tmp_path / "castiron.db") as conductor,
        conductor.client(timeout_s=30) as client,
    ):
        for number in range(NODES):
            client.nodes.create(f"n{number}", driver="fake")
        before = client.status()

        told, seen = flooded(client, nodes=NODES, window=WINDOW)
        print(told, figures(before, seen))  # noqa: T201 - the long run's report

        answers: dict[str, int] = told["answers"]
        busy = {code.partition(" ")[2] for code in answers if code.startswith("conductor.overloaded")}
        assert told["lost"] == 0
        assert answers["ok"] > 0
        assert "work_rate" in busy, "it was no flood"
        assert busy <= {bound.what for bound in BOUNDS}
        full = {f"mailbox.full {what}" for what in ("node_queue", "node_mailbox")}
        assert set(answers) - {"ok"} <= {*(f"conductor.overloaded {what}" for what in busy), *full}
        assert told["silent"] == 0, "each says when to come again"
        assert all(told["returned"].pop("work_rate")), "with nobody else there, the moment is exact"
        assert all(sum(let_in) * 2 >= len(let_in) for let_in in told["returned"].values()), told["returned"]
        assert max(one.queues["open_requests"].used for one in seen) <= SETTINGS.max_open_requests_per_requester
        assert max(one.queues["power_actions"].used for one in seen) <= SETTINGS.max_concurrent_power
        assert max(one.process["rss_bytes"] for one in seen) < before.process["rss_bytes"] + GROWTH_BYTES
        assert all(one.checks.late_p99_ms is None or one.checks.late_p99_ms < LATE_MS for one in seen)

        until(lambda: client.status().requests.open == 0, timeout_s=30)
        after = client.status()
        checked = looks(after) - looks(before)
        assert checked >= NODES * LASTS_S / 4
        assert (after.requests.waiters, after.queues["power_actions"].used) == (0, 0)
        assert after.queues["rate_buckets"].used == 1


def test_under_the_load_that_is_documented_nobody_is_refused(tmp_path: Path) -> None:
    """64 clients, a message each in flight, every setting at its default; what is refused is refused for a reason."""
    store = tmp_path / "castiron.db"
    with running_conductor(store=store) as conductor, conductor.client(timeout_s=30) as client:
        for number in range(CROWD_NODES):
            client.nodes.create(f"n{number}", driver="fake")
        told, seen = flooded(client, nodes=CROWD_NODES, window=1)
        print(told, len(seen))  # noqa: T201 - the long run's report

        assert (told["lost"], set(told["answers"])) == (0, {"ok"})
        assert not any(gauge.warned for one in seen for gauge in one.queues.values()), "not even nearly"


def flooded(client: Client, *, nodes: int, window: int) -> tuple[dict[str, Any], list[StatusView]]:
    """Return what a flood of clients saw, and how the conductor was meanwhile."""
    arguments = (client.endpoint, CLIENTS, nodes, LASTS_S, window)
    command = [sys.executable, "-m", "tests.support.flooder", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:
        seen: list[StatusView] = []
        while is_running(flooder):
            seen.append(client.status())  # answered all the time: it has no rate
        assert flooder.stdout is not None
        return json.loads(flooder.stdout.read()), seen


def is_running(process: "subprocess.Popen[str]") -> bool:
    """Return whether a process has not ended a moment later; a look at every moment would fill the memory."""
    try:
        process.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def looks(status: StatusView) -> int:
    return status.checks.agreed + status.checks.corrected + status.checks.skipped


def figures(before: StatusView, seen: list[StatusView]) -> dict[str, Any]:
    lates = [one.checks.late_p99_ms for one in seen if one.checks.late_p99_ms is not None]
    grown = max(one.process["rss_bytes"] for one in seen) - before.process["rss_bytes"]
    return {
        "grown_mb": grown >> 20,
        "late_p99_ms": max(lates, default=None),
        "checks_per_s": seen[-1].checks.per_s,
        "most": {
            name: (max(one.queues[name].used for one in seen), gauge.limit)
            for name, gauge in before.queues.items()
            if gauge.limit is not None
        },
    }
