"""Every metric in one table: name, type, labels, meaning, what others call the same, and how it is read.

Ironic's and metal3's names stand where they count the same; else a name begins with castiron_. A label takes words of
the protocol, of a setting, or names of parts: none has a value for each node. May come in: another metric. Must not:
how it is served.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from castiron.actors.metrics.sketch import Sketch, merged
from castiron.actors.metrics.vitals import Vitals
from castiron.transport.vocabulary import EventType, PowerTarget, ProvisionState, ProvisionTarget, RequestState


class Kind(StrEnum):
    """A metric's type, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Sample = tuple[tuple[str, ...], float | Sketch]
"""Values of the labels, and the figure; of a histogram the lengths of time."""

Read = Callable[[Vitals], Iterable[Sample]]


class Metric(NamedTuple):
    """One row."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    read: Read
    elsewhere: str = ""
    """What others call the same, or what comes nearest to it."""


def _one(read: Callable[[Vitals], float | Sketch]) -> Read:
    """Return a reader of a figure without labels."""
    return lambda vitals: [((), read(vitals))]


def _by(read: Callable[[Vitals], Mapping[str, float]]) -> Read:
    """Return a reader of figures by one label."""
    return lambda vitals: [((str(label),), figure) for label, figure in read(vitals).items()]


def _of(part: str, *names: str) -> Read:
    """Return a reader of some counters of a part, by what they count; those that it has not are left out."""

    def read(vitals: Vitals) -> Iterable[Sample]:
        counters = getattr(vitals, part)
        return [((name,), counters[name]) for name in names if name in counters]

    return read


def _of_ipmi(*names: str) -> Read:
    def read(vitals: Vitals) -> Iterable[Sample]:
        counters = vitals.drivers.get("ipmi", {})
        return [((name,), counters[name]) for name in names if name in counters]

    return read


_ERRORS: Final[Mapping[ProvisionState, str]] = {
    ProvisionState.INSPECT_FAILED: "inspection error",
    ProvisionState.CLEAN_FAILED: "preparation error",
    ProvisionState.DEPLOY_FAILED: "provisioning error",
    ProvisionState.ERROR: "provisioning error",
    ProvisionState.ADOPT_FAILED: "provisioned registration error",
    ProvisionState.SERVICE_FAILED: "servicing error",
}
"""Provision states of nodes that something failed on → what metal3 calls the error."""


def host_errors(vitals: Vitals) -> Iterable[Sample]:
    """Return how often something failed on a node for good, in metal3's words."""
    counts = dict.fromkeys(("registration error", *_ERRORS.values(), "power management error"), 0)
    for (before, after), count in vitals.census.changes().items():
        if after in _ERRORS:
            counts[_ERRORS[after]] += count
        elif (before, after) == (ProvisionState.VERIFYING, ProvisionState.ENROLL):
            counts["registration error"] += count
    counts["power management error"] = vitals.events.get(EventType.NODE_FAULT_SET, 0)
    return [((error,), count) for error, count in counts.items()]


_SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    PowerTarget.ON.value: ("on",),
    PowerTarget.OFF.value: ("off",),
    PowerTarget.SOFT_OFF.value: ("off",),
    PowerTarget.REBOOT.value: ("off", "on"),
    PowerTarget.SOFT_REBOOT.value: ("off", "on"),
}
"""Targets of power actions → which ways they switch a machine."""


def power_changes(vitals: Vitals) -> Iterable[Sample]:
    """Return how often power actions have switched machines on, and off."""
    counts = {"on": 0, "off": 0}
    for (kind, state), count in vitals.endings.states().items():
        if state is RequestState.SUCCEEDED and kind.verb == "node.power.set":
            for way in _SWITCHES.get(kind.target, ()):
                counts[way] += count
    return [((way,), count) for way, count in counts.items()]


def _moves(*targets: ProvisionTarget) -> Read:
    """Return a reader of how long requests for some provision targets took."""
    words = {target.value for target in targets}
    return lambda vitals: [
        (
            (),
            merged(
                sketch
                for kind, sketch in vitals.endings.times().items()
                if kind.verb == "node.provision.set" and kind.target in words
            ),
        )
    ]


def _asked(vitals: Vitals) -> int:
    return sum(count for result, count in vitals.checks.items() if result != "skipped")


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

METRICS: Final = (
    Metric(
        "castiron_build_info",
        _GAUGE,
        ("version", "conductor"),
        "always 1; which program, and which store",
        lambda vitals: [((vitals.version, vitals.conductor), 1)],
    ),
    Metric(
        "castiron_start_time_seconds", _GAUGE, (), "when the conductor started", _one(lambda vitals: vitals.started_at)
    ),
    Metric(
        "castiron_nodes",
        _GAUGE,
        ("power_state",),
        "nodes by power state as last seen; `unknown`: nobody knows",
        _by(lambda vitals: vitals.census.by_power()),
        "their sum: Ironic's `ConductorManager.PowerSyncNodesCount`, which lacks nodes in `enroll`",
    ),
    Metric(
        "castiron_nodes_by_provision_state",
        _GAUGE,
        ("provision_state",),
        "nodes by provision state; states without any are missing",
        _by(lambda vitals: vitals.census.by_provision()),
    ),
    Metric(
        "castiron_nodes_in_maintenance",
        _GAUGE,
        (),
        "nodes in maintenance",
        _one(lambda vitals: vitals.census.maintenance),
    ),
    Metric(
        "castiron_nodes_with_fault",
        _GAUGE,
        ("fault",),
        "nodes that the conductor put aside",
        _by(lambda vitals: vitals.census.by_fault()),
        "with `power failure`: Ironic's `ConductorManager.PowerSyncRecoveryNodeCount`",
    ),
    Metric(
        "castiron_power_checks_total",
        _COUNTER,
        ("result",),
        "power checks that have ended, by result: see docs/checks.md",
        _by(lambda vitals: vitals.checks),
        "metal3's `metal3_reconcile_total`, which counts by host",
    ),
    Metric(
        "ironic_do_sync_power_state_call_count",
        _GAUGE,
        (),
        "power checks that a BMC was asked for; it grows, and is a gauge as the Ironic exporter's",
        _one(_asked),
        "the same",
    ),
    Metric(
        "ironic_do_sync_power_state_time",
        _GAUGE,
        (),
        "milliseconds that the answers of all power checks took together; as above",
        _one(lambda vitals: vitals.response.total_s * 1000),
        "the same",
    ),
    Metric(
        "castiron_power_check_late_seconds",
        _HISTOGRAM,
        (),
        "how late power checks began",
        _one(lambda vitals: vitals.late),
    ),
    Metric(
        "castiron_bmc_response_seconds",
        _HISTOGRAM,
        (),
        "from the begin of a power check to its answer, login and waits included",
        _one(lambda vitals: vitals.response),
    ),
    Metric(
        "castiron_bmcs_failing",
        _GAUGE,
        ("code",),
        "nodes whose latest power check failed, by why; `bmc.unreachable`: they are silent",
        _by(lambda vitals: vitals.answers.codes),
    ),
    Metric(
        "metal3_credentials_invalid_total",
        _COUNTER,
        (),
        "nodes whose BMC began to refuse the user name or the password",
        _one(lambda vitals: vitals.answers.begun.get("bmc.credentials", 0)),
        "the same",
    ),
    Metric(
        "metal3_credentials_no_management_access_total",
        _COUNTER,
        (),
        "nodes whose BMC fell silent",
        _one(lambda vitals: vitals.answers.begun.get("bmc.unreachable", 0)),
        "the same",
    ),
    Metric(
        "metal3_host_error_total",
        _COUNTER,
        ("error_type",),
        "failures that a node is left with, by what failed",
        host_errors,
        "the same",
    ),
    Metric(
        "metal3_provisioning_state_change_total",
        _COUNTER,
        ("prev_state", "new_state"),
        "moves from one provision state to another, in Ironic's words for the states",
        lambda vitals: [
            ((before.value, after.value), count) for (before, after), count in vitals.census.changes().items()
        ],
        "the same; metal3 has fewer states",
    ),
    Metric(
        "metal3_operation_power_change_total",
        _COUNTER,
        ("on_off",),
        "power actions that succeeded, by which way they switched; a reboot is both",
        power_changes,
        "the same, without its labels `namespace` and `host`",
    ),
    Metric(
        "metal3_operation_register_duration_seconds",
        _HISTOGRAM,
        (),
        "how long moves to `manageable` took",
        _moves(ProvisionTarget.MANAGE),
        "the same, without its labels `namespace` and `host`",
    ),
    Metric(
        "metal3_operation_inspect_duration_seconds",
        _HISTOGRAM,
        (),
        "how long inspections took",
        _moves(ProvisionTarget.INSPECT),
        "as above",
    ),
    Metric(
        "metal3_operation_provision_duration_seconds",
        _HISTOGRAM,
        (),
        "how long deployments and rebuilds took",
        _moves(ProvisionTarget.DEPLOY, ProvisionTarget.REBUILD),
        "as above",
    ),
    Metric(
        "metal3_operation_deprovision_duration_seconds",
        _HISTOGRAM,
        (),
        "how long undeployments took",
        _moves(ProvisionTarget.UNDEPLOY),
        "as above",
    ),
    Metric(
        "castiron_requests",
        _GAUGE,
        ("state",),
        "requests that have not ended: all (`open`), with a permit (`running`), and those that wait for one",
        _of("requests", "open", "running", "waiting_for_permit"),
    ),
    Metric(
        "castiron_requests_ended_total",
        _COUNTER,
        ("verb", "target", "state"),
        "requests that have ended; `target`: of a power action or a move",
        lambda vitals: [
            ((kind.verb, kind.target, state.value), count) for (kind, state), count in vitals.endings.states().items()
        ],
    ),
    Metric(
        "castiron_request_duration_seconds",
        _HISTOGRAM,
        ("verb", "target"),
        "from the start of a request to its end",
        lambda vitals: [((kind.verb, kind.target), sketch) for kind, sketch in vitals.endings.times().items()],
    ),
    Metric(
        "castiron_events_total",
        _COUNTER,
        ("type",),
        "events that have happened",
        lambda vitals: [((type_.value,), count) for type_, count in vitals.events.items()],
    ),
    Metric(
        "castiron_lag_seconds",
        _HISTOGRAM,
        ("queue",),
        "how long a message waits before its turn: at the actors' `dispatcher`, counted for each turn; at the `front "
        "door` and the `ipmi driver`, of four probes a second",
        lambda vitals: [((name,), sketch) for name, sketch in vitals.lag.items()],
    ),
    Metric(
        "castiron_actors_total",
        _COUNTER,
        ("what",),
        "`turns` of actors, `slow_turns` among them, `restarts` of failed ones",
        _of("actors", "turns", "slow_turns", "restarts"),
    ),
    Metric(
        "castiron_actors",
        _GAUGE,
        ("what",),
        "`nodes` with an actor, nodes `put_aside`, actors `ready` for a turn, `threads` for them and those of them "
        "that are `threads_hung`",
        _of("actors", "nodes", "put_aside", "ready", "threads", "threads_hung"),
    ),
    Metric(
        "castiron_queue_used",
        _GAUGE,
        ("queue",),
        "how full something is that has a bound: see docs/limits.md",
        lambda vitals: [((name,), gauge.used) for name, gauge in vitals.queues.items()],
    ),
    Metric(
        "castiron_queue_limit",
        _GAUGE,
        ("queue",),
        "that bound",
        lambda vitals: [((name,), gauge.limit) for name, gauge in vitals.queues.items() if gauge.limit is not None],
    ),
    Metric(
        "castiron_store_total",
        _COUNTER,
        ("what",),
        "`changes`, the `commits` that they took, and `failures` to write",
        _of("store", "changes", "commits", "failures"),
    ),
    Metric(
        "castiron_store_writable",
        _GAUGE,
        (),
        "1: changes can be stored",
        _one(lambda vitals: vitals.store["is_writable"]),
    ),
    Metric(
        "castiron_ipmi",
        _GAUGE,
        ("what",),
        "IPMI `sessions` that are open, BMCs `logging_in`, those that wait for that (`login_queue`), calls `in_flight`",
        _of_ipmi("sessions", "logging_in", "login_queue", "in_flight", "waiting"),
    ),
    Metric(
        "castiron_ipmi_total",
        _COUNTER,
        ("what",),
        "IPMI datagrams `sent`, `unsent`, `received`, `retransmitted`, `dropped`, `stray`; `logins`, `logins_failed`",
        _of_ipmi(
            *("sent", "unsent", "received", "retransmitted", "dropped", "stray"),
            *("logins", "logins_failed"),
        ),
    ),
    Metric(
        "castiron_messages_total",
        _COUNTER,
        ("what",),
        "clients' messages `received`, `answered`, `malformed`, `refused`; replies `dropped`; `events_published`, "
        "`events_skipped`",
        _of(
            "transport",
            *("received", "answered", "malformed", "refused", "dropped", "events_published", "events_skipped"),
        ),
    ),
    Metric(
        "castiron_webhooks_total",
        _COUNTER,
        ("what",),
        "calls to webhooks `delivered`, attempts that `failed`, calls `given_up`",
        _of("webhooks", "delivered", "failed", "given_up"),
    ),
)
"""In the order in which they are served and documented."""


def table() -> list[tuple[str, ...]]:
    """Return the rows of the documentation: name, type, labels, meaning, elsewhere."""
    return [
        (
            f"`{metric.name}`",
            metric.kind.value,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.meaning,
            metric.elsewhere,
        )
        for metric in METRICS
    ]
