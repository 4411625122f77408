"""`castiron status` in words: what is used with its bound, what was slow, what is unknown."""

from typing import Any

import msgspec

from castiron.actors.settings.shares import COROUTINES, SHARES
from castiron.cli.conductor.status import lines
from castiron.testing import running_conductor
from castiron.transport.replies import (
    CheckCounts,
    Gauge,
    KeptEvents,
    RunningTurn,
    ShareView,
    SlowTurns,
    StatusView,
    StoreView,
    TimerCounts,
)


def status() -> StatusView:
    """The status of a genuine conductor that has just started."""
    with running_conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        return client.status()


def changed(view: StatusView, **changes: Any) -> dict[str, str]:
    return lines(msgspec.structs.replace(view, **changes), view.started_at + 90)


def test_a_status_has_every_figure_that_an_operator_looks_for() -> None:
    view = status()

    assert view.nodes["total"] == 1
    assert view.nodes["failing"] == 0
    assert view.timers.waiting > 0
    assert view.timers.late_p50_ms <= view.timers.late_p99_ms <= view.timers.late_max_ms
    assert {"sessions", "logging_in", "login_queue"} <= set(view.drivers["ipmi"])
    assert view.queues["peers"].used == 1
    assert view.queues["actions"] == Gauge(used=0, limit=10_000, setting="max_running_actions")
    assert view.queues["logins"].setting in view.settings
    assert view.events == KeptEvents(oldest_seq=1, latest_seq=1)
    assert view.process["rss_bytes"] > 10_000_000
    assert view.process["threads"] >= 8
    assert 0 < view.queues["descriptors"].used <= (view.queues["descriptors"].limit or 1_000_000)
    assert view.store.wal_bytes == 0
    assert view.store.free_bytes is None, "in memory"
    assert view.slow_turns == SlowTurns()
    assert view.settings["slow_turn_s"] == 0.5


def test_what_is_used_is_told_with_its_bound_and_its_setting() -> None:
    told = changed(
        status(),
        queues={
            "actions": Gauge(used=3, limit=10, setting="max_running_actions"),
            "actions_waiting": Gauge(used=2),
            "waiters": Gauge(used=0, limit=5),
        },
        timers=TimerCounts(waiting=4, late_p99_ms=12.34),
        checks=CheckCounts(agreed=3, per_s=0.25),
        store=StoreView(size_bytes=3 * 1024 * 1024, state="ok"),
        started_at=status().started_at,
    )

    assert told["queues"] == "3 of 10 actions (max_running_actions), 2 actions waiting; empty: waiters"
    assert told["timers"].startswith("4 waiting, 0 due, ")
    assert told["timers"].endswith(", 12.3 ms late p99")
    assert told["checks"].startswith("3 agreed, 0 corrected, ")
    assert told["checks"].endswith(", 0 skipped, 0.25 per s"), "what is not known is not told"
    assert told["store"].startswith("3.0 MiB size, 0.0 MiB wal, path -, 0 schema version, state ok, ")


def test_slow_turns_are_named_and_what_nobody_saw_is_unknown() -> None:
    view = status()
    latest = SlowTurns(count=2, actor="NodeActor", lasted_s=1.25)
    running = [RunningTurn(actor="FleetActor", message="SetNode", lasts_s=3.0)]

    assert changed(view)["slow turns"] == "none"
    assert changed(view, slow_turns=latest)["slow turns"] == "2; the latest: NodeActor in unknown, 1.2 s"
    assert changed(view, slow_turns=SlowTurns(running=running))["slow turns"] == (
        "0; now: FleetActor in SetNode for 3.0 s"
    )


def test_each_share_is_told_with_what_waits_what_hangs_and_what_has_run_longest() -> None:
    told = changed(
        status(),
        shares={
            "steps": ShareView(
                busy=3, limit=10, waiting=2, left_behind=1, spare=66, oldest="n7 raid.build", oldest_s=95.0
            ),
            "logins": ShareView(busy=4, limit=256, waiting=0),
            "redfish_calls": ShareView(busy=0, limit=80, waiting=0, spare=66),
        },
    )

    assert told["shares"] == (
        "steps 3 of 10, 2 waiting, 1 left behind (66 spare), the longest n7 raid.build for 1 min; "
        "logins 4 of 256; at rest: redfish calls 80"
    )


def test_a_conductor_at_rest_has_all_its_shares_within_the_pool() -> None:
    view = status()

    of_pool = {share.name for share in SHARES}
    assert of_pool | {share.name for share in COROUTINES} == set(view.shares)
    assert all((share.busy, share.waiting, share.left_behind) == (0, 0, 0) for share in view.shares.values())
    places = sum(share.limit + share.spare for name, share in view.shares.items() if name in of_pool)
    assert places <= view.settings["workers_pool_size"]
