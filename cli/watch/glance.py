"""What somebody who watches a conductor wants to see, made of two statuses: rates, and what stands out.

Pure. May come in: another figure worth watching. Must not: how it is drawn, and where the statuses come from.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from castiron.cli.output.render import length
from castiron.transport.replies import BMCsView, Gauge, LagView, SlowTurns, StatusView

SHOWN: Final = 8
"""Nodes that are named in a line."""

WORTH: Final = 0.01
"""Of a bound: what is emptier is like empty, and JSON has it."""

SILENT: Final = "bmc.unreachable"
"""Why a check has failed whose BMC gave no answer at all."""


class Rates(NamedTuple):
    """What happened in each second between two statuses; None: there is nothing to compare with."""

    checks_per_s: float | None = None
    check_failures_per_s: float | None = None
    commits_per_s: float | None = None
    events_per_s: float | None = None
    messages_per_s: float | None = None


def rates(before: StatusView | None, now: StatusView) -> Rates:
    """Return what happened between two statuses of the same start of a conductor; of two starts nothing is known."""
    if before is None or before.boot_id != now.boot_id or (passed_s := now.uptime_s - before.uptime_s) <= 0:
        return Rates()
    earlier, later = _totals(before), _totals(now)
    return Rates(*((after - ahead) / passed_s for ahead, after in zip(earlier, later, strict=True)))


def _totals(view: StatusView) -> tuple[float, ...]:
    checks = view.checks
    failed = checks.failed + checks.faulted
    return (
        failed + checks.agreed + checks.corrected + checks.forced + checks.recovered,
        failed,
        view.store.commits,
        view.store.events_seq,
        view.transport.get("received", 0),
    )


def at_bound(queues: Mapping[str, Gauge]) -> list[str]:
    """Return what is at its bound, or nearly."""
    return [name for name, one in queues.items() if one.warned or (one.limit is not None and one.used >= one.limit)]


def fullest(queues: Mapping[str, Gauge]) -> list[tuple[str, Gauge]]:
    """Return the queues that somebody waits in, then those that are filled worth a word, the fullest first."""
    waiting = [(name, one) for name, one in queues.items() if one.limit is None and one.used]
    filled = [(_filled(one), name, one) for name, one in queues.items() if _filled(one) >= WORTH]
    ranked = sorted(filled, key=lambda entry: -entry[0])
    return [*waiting, *((name, one) for _, name, one in ranked)][:SHOWN]


def _filled(gauge: Gauge) -> float:
    return gauge.used / gauge.limit if gauge.limit else 0.0


def as_json(before: StatusView | None, view: StatusView, at: float) -> dict[str, Any]:
    """Return everything that is watched, for programs.

    Args:
        before: the status before, if there was one.
        view: the latest.
        at: when it came.
    """
    return {
        "at": at,
        "conductor": view.conductor,
        "boot_id": view.boot_id,
        "uptime_s": view.uptime_s,
        "nodes": view.nodes,
        "provision_states": view.provision_states,
        **rates(before, view)._asdict(),
        "late_p50_ms": view.checks.late_p50_ms,
        "late_p99_ms": view.checks.late_p99_ms,
        "lag": view.lag,
        "queues": {name: gauge for name, gauge in view.queues.items() if gauge.used},
        "at_bound": at_bound(view.queues),
        "bmcs": view.bmcs,
        "slow_turns": view.slow_turns,
        "store_state": view.store.state,
    }


def lines(before: StatusView | None, view: StatusView, at: float) -> dict[str, str]:
    """Return the same in words, by what it is about, for people."""
    told = rates(before, view)
    return {
        "conductor": f"{view.conductor}, up {length(view.uptime_s)}",
        "nodes": _counts(view.nodes),
        "states": _counts(view.provision_states),
        "checks": f"{_rate(told.checks_per_s)} checks/s, {_rate(told.check_failures_per_s)} failures/s, "
        f"late {_pair(view.checks.late_p50_ms, view.checks.late_p99_ms)}",
        "lag": ", ".join(f"{name} {_pair(lag.p50_ms, lag.p99_ms)}" for name, lag in view.lag.items()),
        "store": f"{_rate(told.commits_per_s)} commits/s, {_rate(told.events_per_s)} events/s, "
        f"state {view.store.state}",
        "messages": f"{_rate(told.messages_per_s)} messages/s",
        "queues": ", ".join(_gauge(name, gauge) for name, gauge in fullest(view.queues)),
        "at bound": ", ".join(_worded(name) for name in at_bound(view.queues)),
        **_bmcs(view.bmcs, at),
        "slow turns": _slow(view.slow_turns),
    }


def _bmcs(bmcs: BMCsView | None, at: float) -> dict[str, str]:
    if bmcs is None:
        return {}
    silent, others = bmcs.failing.get(SILENT, 0), sum(bmcs.failing.values()) - bmcs.failing.get(SILENT, 0)
    longest = ", ".join(f"{one.node} ({length(at - one.since)})" for one in bmcs.failing_longest[:SHOWN])
    return {
        "answers": _response(bmcs.response),
        "slowest": ", ".join(f"{one.node} {one.response_ms:.0f} ms" for one in bmcs.slowest[:SHOWN]),
        "silent": f"{silent} silent, {others} fail otherwise" + (f": {longest}" if longest else ""),
    }


def _response(response: LagView) -> str:
    return f"{_pair(response.p50_ms, response.p99_ms)} of {response.samples} in the last minute"


def _gauge(name: str, gauge: Gauge) -> str:
    bound = "" if gauge.limit is None else f" of {gauge.limit}"
    whose = "" if gauge.whose is None else f" of {gauge.whose}"
    return f"{gauge.used}{bound} {_worded(name)}{whose}"


def _slow(turns: SlowTurns) -> str:
    if not turns.count:
        return ""
    latest = "" if turns.actor is None else f", the latest {turns.actor} in {turns.message or 'unknown'}"
    return f"{turns.count}{latest}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "total")


def _pair(p50_ms: float | None, p99_ms: float | None) -> str:
    return "unknown" if p50_ms is None or p99_ms is None else f"p50 {_ms(p50_ms)}, p99 {_ms(p99_ms)} ms"


def _ms(figure_ms: float) -> str:
    return f"{figure_ms:.0f}" if figure_ms >= 100 else f"{figure_ms:.2g}"  # noqa: PLR2004 - two digits say enough


def _rate(per_s: float | None) -> str:
    return "-" if per_s is None else f"{per_s:.1f}"


def _worded(name: str) -> str:
    return name.replace("_", " ")
