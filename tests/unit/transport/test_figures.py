"""The figures of a status: on the wire each part is a flat map, and one that lacks some is understood."""

from typing import Any

from castiron.testing import running_conductor
from castiron.transport import codec
from castiron.transport.replies import CheckCounts, KeptEvents, MailboxCounts, SlowTurns, StatusView, TimerCounts
from tests.support.raw_peer import packed, unpacked

KEYS = {
    "store": "path size_bytes wal_bytes free_bytes schema_version state backlog changes commits failures events_seq",
    "requests": "open running waiting_for_permit waiters",
    "checks": "agreed corrected forced failed faulted recovered skipped per_s late_p50_ms late_p99_ms",
    "timers": "waiting due failed late_max_ms late_p50_ms late_p99_ms",
    "mailboxes": "waiting longest node",
    "slow_turns": "count running actor message lasted_s request",
    "events": "oldest_seq latest_seq",
}


def test_each_part_of_a_status_is_a_flat_map_on_the_wire() -> None:
    with running_conductor() as conductor, conductor.client() as client:
        status = unpacked(codec.encode_reply(client.status(), 0))["result"]

    assert {name: list(status[name]) for name in KEYS} == {name: keys.split() for name, keys in KEYS.items()}


def test_what_an_older_conductor_does_not_tell_is_at_its_default() -> None:
    told: dict[str, Any] = {
        "conductor": "c",
        "boot_id": "b",
        "version": "0",
        "started_at": 0.0,
        "uptime_s": 0.0,
        "endpoint": "",
        "store": {"size_bytes": 7},
        "requests": {"open": 1},
        "checks": {"agreed": 3, "late_p50_ms": 2, "of_tomorrow": "unknown to us"},
        **{name: {} for name in ("nodes", "actors", "drivers", "transport", "threads", "limits")},
        "slow_turns": {"count": 0, "running": []},
    }

    view = codec.decode_reply(packed({"result": told, "seq": 0}), StatusView).outcome

    assert isinstance(view, StatusView)
    assert (view.store.size_bytes, view.store.state, view.requests.open) == (7, "unknown", 1)
    assert view.checks == CheckCounts(agreed=3, late_p50_ms=2.0)
    assert (view.timers, view.mailboxes, view.events) == (TimerCounts(), MailboxCounts(), KeptEvents())
    assert view.slow_turns == SlowTurns()
