"""The targets, as data: what is measured, what it must be, and what it is held beside. No measuring and no printing.

A figure's name is its part's in bench/rows/parts.py, a dot, and its own there. Whoever changes what castiron promises
changes this file, and the tables follow.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ALL: Final = 10_000
SILENT_PERCENTS: Final = (10, 30, 50)


class Better(StrEnum):
    """On which side of its limit a figure must be."""

    LOW = "≤"
    HIGH = "≥"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A limit that hangs on another figure of the same run: so many times it, and so much more."""

    figure: str
    times: float
    plus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another program's figure: measured in the same run, or taken elsewhere and quoted."""

    name: str
    figure: str | None = None
    quoted: float | None = None
    """In the target's unit; docs/performance.md says where it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One figure, and what it must be."""

    row: str
    """What of castiron is meant: consecutive targets of one row stand together."""
    what: str
    figure: str
    unit: str
    limit: float | Beside | None
    """None: told, and judged by nobody."""
    better: Better = Better.LOW
    peers: tuple[Peer, ...] = ()


CHECKERS: Final = (
    Peer(name="ipmipower", figure="others.ipmipower_check_cpu_ms"),
    Peer(name="ipmitool", figure="others.ipmitool_check_cpu_ms"),
    Peer(name="Ironic", quoted=44.0),
)
PROTOTYPE: Final = Peer(name="prototype, every 60 s", quoted=6.8)
FUTURIST: Final = (Peer(name="Futurist's median", figure="futurist.late_p50_ms"),)
IRONIC_ON: Final = (Peer(name="Ironic", quoted=2_400.0),)
IRONIC_START: Final = (Peer(name="Ironic, 200 nodes", quoted=1.7),)
IRONIC_MEMORY: Final = (Peer(name="Ironic, 200 nodes", quoted=261.0),)
ECHO: Final = (Peer(name="echo", figure="trips.echo_per_s"),)
ECHO_CPU: Final = (Peer(name="echo", figure="trips.echo_cpu_us"),)
ECHO_P99: Final = (Peer(name="echo", figure="trips.echo_alone_p99_ms"),)
SQLITE: Final = (Peer(name="SQLite, bare rows", figure="trips.sqlite_per_s"),)

CHECKS: Final = "checks of 10,000 nodes every 6 s"
DEFAULT: Final = "10,000 nodes at the default 25 s"
PERIODICS: Final = "1,000 periodic tasks every 10 s, 8 workers, 100 block for 10 s"
LOAD: Final = "documented load: 10,000 nodes, 64 clients, 2,000 requests/s"
ONE: Final = "power on, one by one, idle conductor"
WAVE: Final = "power on, all 10,000"
TRIPS: Final = "API round trips, 10,000 nodes"
ACCEPT: Final = "requests accepted, on disk, 64 clients"
LIST: Final = "list of 10,000 nodes"
START: Final = "start with 10,000 stored nodes"
STOP: Final = "stop with 10,000 open sessions"
FAKE: Final = "100,000 nodes, fake driver, every 60 s"
MEMORY: Final = "memory"


def silent(percent: int, manner: str, suffix: str) -> tuple[Target, ...]:
    """Return what must hold of healthy nodes where so many of the BMCs are silent."""
    row, part = f"{percent} % of the BMCs silent{manner}", f"silent_{percent}{suffix}"
    beside = Beside(figure=f"every_6s{suffix}.late_p99_ms", times=1.1, plus=5.0)
    return (
        Target(row=row, what="checks late at p99", figure=f"{part}.late_p99_ms", unit="ms", limit=beside),
        Target(row=row, what="ask, p99", figure=f"{part}.ask_p99_ms", unit="ms", limit=2.0),
        Target(row=row, what="healthy sessions open after", figure=f"{part}.sessions_open_s", unit="s", limit=20.0),
    )


def of_fleet(manner: str, suffix: str, wave: str, left_open: float) -> tuple[Target, ...]:
    """Return what must hold of a fleet whose BMCs all answer.

    Args:
        manner: how, in words; empty for at once.
        wave: the part in which all are powered on.
        left_open: sessions that a stop may leave open: where datagrams are lost, a logout may be, twice.
    """
    fast = f"every_6s{suffix}"
    return (
        Target(
            row=f"{CHECKS}{manner}",
            what="CPU per check",
            figure=f"{fast}.check_cpu_ms",
            unit="ms",
            limit=0.10,
            peers=CHECKERS,
        ),
        Target(
            row=f"{WAVE}{manner}",
            what="confirmed, the first 95 %",
            figure=f"{wave}.power_all_per_s",
            unit="/s",
            limit=1_000.0,
            better=Better.HIGH,
        ),
        Target(row=f"{WAVE}{manner}", what="not confirmed", figure=f"{wave}.power_all_failed", unit="", limit=0),
        Target(
            row=f"{WAVE}{manner}",
            what="checks late at p99",
            figure=f"{wave}.power_all_late_p99_ms",
            unit="ms",
            limit=Beside(figure=f"{wave}.late_p99_ms", times=1.1, plus=5.0),
        ),
        Target(
            row=f"{START}{manner}",
            what="answers after",
            figure=f"{fast}.answers_s",
            unit="s",
            limit=1.5,
            peers=IRONIC_START,
        ),
        Target(
            row=f"{START}{manner}",
            what="all sessions open after",
            figure=f"{fast}.sessions_open_s",
            unit="s",
            limit=15.0,
        ),
        Target(
            row=f"{START}{manner}",
            what="99 % of them",
            figure=f"{fast}.sessions_99_percent_open_s",
            unit="s",
            limit=None,
        ),
        Target(row=f"{STOP}{manner}", what="stopped after", figure=f"{fast}.stop_s", unit="s", limit=10.0),
        Target(
            row=f"{STOP}{manner}",
            what="sessions not logged out of",
            figure=f"{fast}.left_open",
            unit="",
            limit=left_open,
        ),
    )


REAL: Final = ", real ones' manners"

TARGETS: Final = (
    Target(
        row=DEFAULT,
        what="share of a core",
        figure="every_25s.cpu_percent",
        unit="%",
        limit=6.0,
        peers=(PROTOTYPE,),
    ),
    Target(row=DEFAULT, what="timers late at p99", figure="every_25s.timers_late_p99_ms", unit="ms", limit=20.0),
    *of_fleet("", "", "every_25s", left_open=0),
    *of_fleet(REAL, "_real", "every_6s_real", left_open=ALL / 1_000),
    *(target for percent in SILENT_PERCENTS for target in silent(percent, "", "")),
    *silent(30, REAL, "_real"),
    Target(
        row=PERIODICS,
        what="healthy ones late at p99",
        figure="periodics.late_p99_ms",
        unit="ms",
        limit=1_000.0,
        peers=FUTURIST,
    ),
    Target(row=LOAD, what="answers that say busy", figure="every_25s.load_busy", unit="", limit=0),
    Target(row=LOAD, what="never answered", figure="every_25s.load_lost", unit="", limit=0),
    Target(row=LOAD, what="refused otherwise", figure="every_25s.load_refused", unit="", limit=0),
    Target(row=LOAD, what="answered, p99", figure="every_25s.load_p99_ms", unit="ms", limit=None),
    Target(row=ONE, what="p50", figure="single.at_once_p50_ms", unit="ms", limit=25.0, peers=IRONIC_ON),
    Target(row=ONE, what="p99", figure="single.at_once_p99_ms", unit="ms", limit=100.0),
    Target(row=ONE, what="not confirmed", figure="single.at_once_failed", unit="", limit=0),
    Target(row=f"{ONE}{REAL}", what="p50", figure="single.real_p50_ms", unit="ms", limit=None, peers=IRONIC_ON),
    Target(row=f"{ONE}{REAL}", what="p99", figure="single.real_p99_ms", unit="ms", limit=None),
    Target(row=f"{ONE}{REAL}", what="not confirmed", figure="single.real_failed", unit="", limit=0),
    Target(
        row=TRIPS,
        what="64 clients, of a bare echo",
        figure="trips.show_to_echo_percent",
        unit="%",
        limit=50.0,
        better=Better.HIGH,
    ),
    Target(
        row=TRIPS,
        what="64 clients",
        figure="trips.show_per_s",
        unit="/s",
        limit=None,
        better=Better.HIGH,
        peers=ECHO,
    ),
    Target(row=TRIPS, what="64 clients, CPU of one", figure="trips.show_cpu_us", unit="µs", limit=None, peers=ECHO_CPU),
    Target(row=TRIPS, what="1 client, p99", figure="trips.show_alone_p99_ms", unit="ms", limit=1.0, peers=ECHO_P99),
    Target(
        row=ACCEPT,
        what="a second",
        figure="trips.accept_per_s",
        unit="/s",
        limit=10_000.0,
        better=Better.HIGH,
        peers=SQLITE,
    ),
    Target(row=LIST, what="all pages", figure="listing.pages_ms", unit="ms", limit=150.0),
    Target(row=LIST, what="by castiron's client", figure="listing.client_ms", unit="ms", limit=None),
    Target(row=LIST, what="delay of others, the longest", figure="listing.other_delay_ms", unit="ms", limit=10.0),
    Target(row=FAKE, what="share of a core", figure="fakes.cpu_percent", unit="%", limit=40.0),
    Target(row=FAKE, what="late at p99", figure="fakes.late_p99_ms", unit="ms", limit=50.0),
    Target(row=MEMORY, what="an idle node without a session", figure="idle.node_kb", unit="kB", limit=5.0),
    Target(row=MEMORY, what="a node with one", figure="memory.session_node_kb", unit="kB", limit=13.0),
    Target(
        row=MEMORY,
        what="10,000 nodes with open sessions",
        figure="every_6s.rss_mb",
        unit="MB",
        limit=200.0,
        peers=IRONIC_MEMORY,
    ),
    Target(row=MEMORY, what="100,000 nodes, fake driver", figure="fakes.rss_mb", unit="MB", limit=1_000.0),
)
