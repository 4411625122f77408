"""`castiron status` and `castiron ping`: the conductor itself."""

import time
from collections.abc import Mapping
from typing import Any, cast

import click

from castiron.cli.options import Command, shared
from castiron.cli.output.render import length, moment, show_json, show_record, word
from castiron.cli.reach import connect
from castiron.transport.replies import StatusView
from castiron.transport.verbs import Hello, Ping, Status


@click.command(cls=Command, verbs=(Status,))
def status() -> None:
    """Show how the conductor is: nodes by power state, requests, queues, threads, store, limits."""
    with connect(shared()) as client:
        view = client.status()
    if shared().is_json:
        show_json(view)
    else:
        show_record(_lines(view, time.time()))


def _lines(view: StatusView, now: float) -> dict[str, str]:
    return {
        "conductor": view.conductor,
        "version": view.version,
        "endpoint": view.endpoint,
        "started": moment(view.started_at, now),
        "up": length(view.uptime_s),
        "nodes": _counts(view.nodes),
        "requests": _counts(view.requests),
        "checks": _counts(view.checks),
        "actors": _counts(view.actors),
        "store": _counts(view.store),
        **{f"driver {name}": _driver(counts) for name, counts in view.drivers.items()},
        "transport": _counts(view.transport),
        "threads": _counts(view.threads),
        "limits": _counts(view.limits),
    }


def _counts(values: Mapping[str, Any]) -> str:
    """Return a map as "20 total, 18 power on, state ok": numbers before their names, words after them."""
    return ", ".join(_count(name.replace("_", " "), value) for name, value in values.items()) or "-"


def _count(name: str, value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value} {name}" if is_number else f"{name} {word(value)}"


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
