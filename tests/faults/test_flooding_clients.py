"""Clients that flood a conductor, from a process of their own: bounded, refused at named bounds only, and drained.

CASTIRON_FLOOD_S makes it longer; 30 is the long run.
"""

import json
import os
import subprocess
import sys

from castiron.actors.limits import BOUNDS
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.replies import StatusView
from tests.support.deadline import until

CLIENTS = 64
NODES = 20
LASTS_S = float(os.environ.get("CASTIRON_FLOOD_S", "6"))
GROWTH_BYTES = 150 << 20
"""Ten thousand ended requests that are remembered, and what is under way; the same however long the flood."""

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


def test_a_flood_of_clients_is_bounded_refused_at_named_bounds_and_drains() -> None:
    with running_conductor(settings=SETTINGS) as conductor, conductor.client(timeout_s=30) as client:
        for number in range(NODES):
            client.nodes.create(f"n{number}", driver="fake")
        before = client.status()

        command = [sys.executable, "-m", "tests.support.flooder", conductor.endpoint, str(CLIENTS), str(NODES)]
        with subprocess.Popen([*command, str(LASTS_S)], stdout=subprocess.PIPE, text=True) as flooder:
            seen: list[StatusView] = []
            while flooder.poll() is None:
                seen.append(client.status())  # answered all the time: it has no rate
            assert flooder.stdout is not None
            told = json.loads(flooder.stdout.read())

        answers: dict[str, int] = told["answers"]
        busy = {code.partition(" ")[2] for code in answers if code.startswith("conductor.overloaded")}
        assert told["lost"] == 0
        assert answers["ok"] > 0
        assert "work_rate" in busy, "it was no flood"
        assert busy <= {bound.what for bound in BOUNDS}
        assert set(answers) - {"ok"} <= {*(f"conductor.overloaded {what}" for what in busy), "mailbox.full"}
        assert max(one.queues["open_requests"].used for one in seen) <= SETTINGS.max_open_requests_per_requester
        assert max(one.queues["power_actions"].used for one in seen) <= SETTINGS.max_concurrent_power
        assert max(one.process["rss_bytes"] for one in seen) < before.process["rss_bytes"] + GROWTH_BYTES
        assert all(one.checks["late_p99_ms"] is None or one.checks["late_p99_ms"] < LATE_MS for one in seen)

        until(lambda: client.status().requests["open"] == 0, timeout_s=30)
        after = client.status()
        checked = sum(after.checks[word] - before.checks[word] for word in ("agreed", "corrected", "skipped"))
        assert checked >= NODES * LASTS_S / 4
        assert (after.requests["waiters"], after.queues["power_actions"].used) == (0, 0)
        assert after.queues["rate_buckets"].used == 1
