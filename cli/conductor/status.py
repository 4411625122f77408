"""`castiron status` and `castiron ping`: the conductor itself."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import click

from castiron.cli.conductor.drain import left
from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.render import fields_of, length, moment, show_json, show_record, word
from castiron.cli.reach import connect
from castiron.cli.watch.watching import LEAST_S, REFRESH_S, watch
from castiron.transport.replies import BMCsView, Gauge, LagView, RequesterUse, ShareView, SlowTurns, StatusView
from castiron.transport.verbs import Hello, Ping, Status

_MIB: Final = 1_048_576


@click.command(cls=Command, verbs=(Status,))
@click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(min=LEAST_S),
    is_flag=False,
    flag_value=REFRESH_S,
    metavar="[SECONDS]",
    help="Show what changes, with rates, again and again until Ctrl-C, also through a restart of the conductor; with "
    "this long in between. With --format json one object a line.  [default: 2]",
)
def status(every_s: float | None) -> None:
    """Show how the conductor is: nodes by state, sessions, queues, timers, store, limits.

    What each line means is in docs/guides/operating.md, what to watch in docs/guides/observe.md.
    """
    given = shared()
    with connect(given) as client:
        if every_s is not None:
            return watch(client, given, every_s)
        return _show(client.status(), given)


def _show(view: StatusView, given: Shared) -> None:
    if given.is_json:
        show_json(view)
    else:
        show_record(lines(view, time.time()))


def lines(view: StatusView, now: float) -> dict[str, str]:
    """Return a status in words, by what it is about."""
    told = {
        "conductor": f"{view.conductor} (castiron {view.version})",
        "endpoint": view.endpoint,
        "started": f"{moment(view.started_at, now)}, up {length(view.uptime_s)}",
        "drain": _drain(view, now),
        "nodes": _counts(view.nodes),
        "states": _counts(view.provision_states),
        "requests": _counts(fields_of(view.requests)),
        "checks": _timed(fields_of(view.checks)),
        "timers": _timed(fields_of(view.timers)),
        "queues": _queues(view.queues),
        "shares": _shares(view.shares),
        "requesters": _requesters(view.requesters),
        "mailboxes": _counts(fields_of(view.mailboxes)),
        "slow turns": _slow(view.slow_turns),
        "actors": _counts(view.actors),
        "webhooks": _counts(view.webhooks),
        "store": _store(fields_of(view.store)),
        "events": _counts(fields_of(view.events)),
        **{f"driver {name}": _driver(counts) for name, counts in view.drivers.items()},
        "transport": _counts(view.transport),
        "lag": _lags(view.lag),
        "answers": _answers(view.bmcs),
        "process": _process(view.process),
        "threads": _counts(view.threads),
        "limits": _counts(view.limits),
    }
    return {name: text for name, text in told.items() if text != "-"}


def _drain(view: StatusView, now: float) -> str:
    drain = view.drain
    if drain is None or not drain.is_draining:
        return "-"
    return f"since {moment(drain.since, now)}, asked by {drain.requester}; {left(drain)}"


def _timed(figures: Mapping[str, float | None]) -> str:
    """Return counts, paces and lengths of time, without those that nobody knows."""
    return ", ".join(_timing(name, value) for name, value in figures.items() if value is not None) or "-"


def _timing(name: str, value: float) -> str:
    if name.endswith("_ms"):
        return f"{value:.1f} ms {name.removesuffix('_ms').replace('_', ' ')}"
    return f"{_figure(value)} {name.replace('_', ' ')}"


def _queues(gauges: Mapping[str, Gauge]) -> str:
    """Return what is in use with its bound, then the names of what is empty."""
    used = [_gauge(name, gauge) for name, gauge in gauges.items() if gauge.used]
    empty = [name.replace("_", " ") for name, gauge in gauges.items() if not gauge.used]
    return ", ".join(used) + (f"; empty: {', '.join(empty)}" if empty else "")


def _gauge(name: str, gauge: Gauge) -> str:
    bound = "" if gauge.limit is None else f" of {gauge.limit}"
    setting = "" if gauge.setting is None else f" ({gauge.setting})"
    mark = "!" if gauge.warned else ""
    whose = "" if gauge.whose is None else f" of {gauge.whose}"
    return f"{mark}{gauge.used}{bound} {name.replace('_', ' ')}{setting}{whose}"


def _shares(shares: Mapping[str, ShareView]) -> str:
    """Return how many places each share has in use, and what waits, hangs, or has run longest; then those at rest."""
    used = [_share(name, share) for name, share in shares.items() if share.busy or share.waiting or share.left_behind]
    idle = [
        f"{name.replace('_', ' ')} {share.limit}"
        for name, share in shares.items()
        if not (share.busy or share.waiting or share.left_behind)
    ]
    return "; ".join([*used, *([f"at rest: {', '.join(idle)}"] if idle else [])]) or "-"


def _share(name: str, share: ShareView) -> str:
    told = f"{name.replace('_', ' ')} {share.busy} of {share.limit}"
    told += f", {share.waiting} waiting" if share.waiting else ""
    told += f", {share.left_behind} left behind ({share.spare} spare)" if share.left_behind else ""
    return told + (f", the longest {share.oldest} for {length(share.oldest_s)}" if share.oldest else "")


def _requesters(uses: Sequence[RequesterUse]) -> str:
    return "; ".join(f"{use.requester}: {use.work} work, {use.reads} reads, {use.open} open" for use in uses) or "-"


def _slow(turns: SlowTurns) -> str:
    if not turns.count and not turns.running:
        return "none"
    told = f"{turns.count}"
    if turns.lasted_s is not None:
        told += f"; the latest: {turns.actor} in {turns.message or 'unknown'}, {turns.lasted_s:.1f} s"
    running = [f"{turn.actor} in {turn.message} for {turn.lasts_s:.1f} s" for turn in turns.running]
    return told + (f"; now: {', '.join(running)}" if running else "")


def _lags(lags: Mapping[str, LagView]) -> str:
    told = (
        f"{name} {lag.p50_ms:.3g}/{lag.p99_ms:.3g}/{lag.most_ms:.3g} ms" for name, lag in lags.items() if lag.samples
    )
    return ", ".join(told) or "-"


def _answers(bmcs: BMCsView | None) -> str:
    """Return how fast BMCs answer, and how many do not; by name `--watch` tells them."""
    if bmcs is None:
        return "-"
    response = bmcs.response
    times = f"p50 {response.p50_ms:.3g} ms, p99 {response.p99_ms:.3g} ms" if response.samples else "none lately"
    failing = ", ".join(f"{count} {code}" for code, count in bmcs.failing.items())
    return times + (f"; failing: {failing}" if failing else "")


def _store(figures: Mapping[str, Any]) -> str:
    sizes = {name: value for name, value in figures.items() if name.endswith("_bytes") and value is not None}
    others = {name: value for name, value in figures.items() if not name.endswith("_bytes")}
    told = [f"{_size(value)} {name.removesuffix('_bytes')}" for name, value in sizes.items()]
    return ", ".join([*told, _counts(others)])


def _process(figures: Mapping[str, int]) -> str:
    return ", ".join(
        f"{_size(value)} {name.removesuffix('_bytes')}" if name.endswith("_bytes") else f"{value} {name}"
        for name, value in figures.items()
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:,.1f} MiB"


def _counts(values: Mapping[str, Any]) -> str:
    """Return a map as "20 total, 18 power on, state ok": numbers before their names, words after them."""
    return ", ".join(_count(name.replace("_", " "), value) for name, value in values.items()) or "-"


def _count(name: str, value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{_figure(value)} {name}" if is_number else f"{name} {word(value)}"


def _figure(value: float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _driver(counts: Any) -> str:
    return _counts(cast("dict[str, Any]", counts)) if isinstance(counts, dict) else word(counts)


@click.command(cls=Command, verbs=(Ping, Hello))
def ping() -> None:
    """Ask whether the conductor is there, who it is, and how long an answer takes."""
    with connect(shared()) as client:
        welcome = client.hello()
        began = time.perf_counter()
        client.ping()
        took_ms = (time.perf_counter() - began) * 1000
        endpoint = client.endpoint
    if shared().is_json:
        show_json({"endpoint": endpoint, "took_ms": round(took_ms, 3), "welcome": welcome})
    else:
        click.echo(f"conductor {welcome.conductor} (castiron {welcome.version}) at {endpoint}: {took_ms:.1f} ms")
