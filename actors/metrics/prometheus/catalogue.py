"""Every metric in one table: name, type, labels, meaning, what others call the same, and how it is read.

Ironic's and metal3's names stand where they count the same; else a name begins with castiron_. A label takes words of
the protocol, of a setting, or names of parts: none has a value for each node. May come in: another metric. Must not:
how it is served.
"""

from typing import Final

from castiron.actors.metrics.prometheus.equivalents import host_errors, moves, power_changes
from castiron.actors.metrics.prometheus.metric import Kind, Metric, by, figure, ipmi_figure, labelled, of, of_ipmi, one
from castiron.actors.metrics.vitals import Vitals
from castiron.transport.vocabulary import ProvisionTarget


def _asked(vitals: Vitals) -> int:
    return sum(count for result, count in vitals.checks.items() if result != "skipped")


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

METRICS: Final = (
    Metric(
        "castiron_build_info",
        _GAUGE,
        ("version", "conductor"),
        "always 1; which program, and which store",
        labelled(lambda vitals: [((vitals.version, vitals.conductor), 1)]),
    ),
    Metric(
        "castiron_start_time_seconds", _GAUGE, (), "when the conductor started", one(lambda vitals: vitals.started_at)
    ),
    Metric(
        "castiron_nodes",
        _GAUGE,
        ("power_state",),
        "nodes by power state as last seen; `unknown`: nobody knows",
        by(lambda vitals: vitals.census.by_power()),
        "their sum: Ironic's `ConductorManager.PowerSyncNodesCount`, which lacks nodes in `enroll`",
    ),
    Metric(
        "castiron_nodes_by_provision_state",
        _GAUGE,
        ("provision_state",),
        "nodes by provision state; states without any are missing",
        by(lambda vitals: vitals.census.by_provision()),
    ),
    Metric(
        "castiron_nodes_in_maintenance",
        _GAUGE,
        (),
        "nodes in maintenance",
        one(lambda vitals: vitals.census.maintenance),
    ),
    Metric(
        "castiron_nodes_with_fault",
        _GAUGE,
        ("fault",),
        "nodes that the conductor put aside",
        by(lambda vitals: vitals.census.by_fault()),
        "with `power failure`: Ironic's `ConductorManager.PowerSyncRecoveryNodeCount`",
    ),
    Metric(
        "castiron_power_checks_total",
        _COUNTER,
        ("result",),
        "power checks that have ended, by result: see docs/checks.md",
        by(lambda vitals: vitals.checks),
        "metal3's `metal3_reconcile_total`, which counts by host",
    ),
    Metric(
        "ironic_do_sync_power_state_call_count",
        _GAUGE,
        (),
        "power checks that a BMC was asked for; it grows, and is a gauge as the Ironic exporter's",
        one(_asked),
        "the same",
    ),
    Metric(
        "ironic_do_sync_power_state_time",
        _GAUGE,
        (),
        "milliseconds that the answers of all power checks took together; as above",
        one(lambda vitals: vitals.response.total_s * 1000),
        "the same",
    ),
    Metric(
        "castiron_power_check_late_seconds",
        _HISTOGRAM,
        (),
        "how late power checks began",
        one(lambda vitals: vitals.late),
    ),
    Metric(
        "castiron_bmc_response_seconds",
        _HISTOGRAM,
        (),
        "from the begin of a power check to its answer, login and waits included",
        one(lambda vitals: vitals.response),
    ),
    Metric(
        "castiron_bmcs_failing",
        _GAUGE,
        ("code",),
        "nodes whose latest power check failed, by why; `bmc.unreachable`: they are silent",
        by(lambda vitals: vitals.answers.codes),
    ),
    Metric(
        "metal3_credentials_invalid_total",
        _COUNTER,
        (),
        "nodes whose BMC began to refuse the user name or the password",
        one(lambda vitals: vitals.answers.begun.get("bmc.credentials", 0)),
        "the same",
    ),
    Metric(
        "metal3_credentials_no_management_access_total",
        _COUNTER,
        (),
        "nodes whose BMC fell silent",
        one(lambda vitals: vitals.answers.begun.get("bmc.unreachable", 0)),
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
        labelled(
            lambda vitals: [
                ((before.value, after.value), count) for (before, after), count in vitals.census.changes().items()
            ]
        ),
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
        moves(ProvisionTarget.MANAGE),
        "the same, without its labels `namespace` and `host`",
    ),
    Metric(
        "metal3_operation_inspect_duration_seconds",
        _HISTOGRAM,
        (),
        "how long inspections took",
        moves(ProvisionTarget.INSPECT),
        "as above",
    ),
    Metric(
        "metal3_operation_provision_duration_seconds",
        _HISTOGRAM,
        (),
        "how long deployments and rebuilds took",
        moves(ProvisionTarget.DEPLOY, ProvisionTarget.REBUILD),
        "as above",
    ),
    Metric(
        "metal3_operation_deprovision_duration_seconds",
        _HISTOGRAM,
        (),
        "how long undeployments took",
        moves(ProvisionTarget.UNDEPLOY),
        "as above",
    ),
    Metric(
        "castiron_requests",
        _GAUGE,
        ("state",),
        "requests that have not ended: all (`open`), with a permit (`running`), and those that wait for one",
        of("requests", "open", "running", "waiting_for_permit"),
    ),
    Metric(
        "castiron_draining",
        _GAUGE,
        (),
        "1 while it drains: it finishes what it has accepted, and refuses new work",
        one(lambda vitals: vitals.is_draining),
    ),
    Metric(
        "castiron_requests_ended_total",
        _COUNTER,
        ("verb", "target", "state"),
        "requests that have ended; `target`: of a power action or a move",
        labelled(
            lambda vitals: [
                ((kind.verb, kind.target, state.value), count)
                for (kind, state), count in vitals.endings.states().items()
            ]
        ),
    ),
    Metric(
        "castiron_request_duration_seconds",
        _HISTOGRAM,
        ("verb", "target"),
        "from the start of a request to its end",
        labelled(
            lambda vitals: [((kind.verb, kind.target), sketch) for kind, sketch in vitals.endings.times().items()]
        ),
    ),
    Metric(
        "castiron_events_total",
        _COUNTER,
        ("type",),
        "events that have happened",
        labelled(lambda vitals: [((type_.value,), count) for type_, count in vitals.events.items()]),
    ),
    Metric(
        "castiron_lag_seconds",
        _HISTOGRAM,
        ("queue",),
        "how long a message waits before its turn: at the actors' `dispatcher`, counted for each turn; at the `front "
        "door` and the `ipmi driver`, of two probes a second",
        labelled(lambda vitals: [((name,), sketch) for name, sketch in vitals.lag.items()]),
    ),
    Metric("castiron_actor_turns_total", _COUNTER, (), "turns that actors had", figure("actors", "turns")),
    Metric(
        "castiron_slow_turns_total",
        _COUNTER,
        (),
        "those of them that took `slow_turn_s` or more; the log names them",
        figure("actors", "slow_turns"),
    ),
    Metric(
        "castiron_actor_restarts_total",
        _COUNTER,
        (),
        "nodes' actors that failed and were started anew",
        figure("actors", "restarts"),
    ),
    Metric("castiron_nodes_put_aside", _GAUGE, (), "nodes whose actor failed too often", figure("actors", "put_aside")),
    Metric("castiron_actors_ready", _GAUGE, (), "actors that wait for a turn", figure("actors", "ready")),
    Metric("castiron_dispatcher_threads", _GAUGE, (), "threads that run actors", figure("actors", "threads")),
    Metric(
        "castiron_dispatcher_threads_hung",
        _GAUGE,
        (),
        "those of them that hang, and have been replaced",
        figure("actors", "threads_hung"),
    ),
    Metric(
        "castiron_queue_used",
        _GAUGE,
        ("queue",),
        "how full something is that has a bound: see docs/limits.md",
        labelled(lambda vitals: [((name,), gauge.used) for name, gauge in vitals.queues.items()]),
    ),
    Metric(
        "castiron_queue_limit",
        _GAUGE,
        ("queue",),
        "that bound",
        labelled(
            lambda vitals: [((name,), gauge.limit) for name, gauge in vitals.queues.items() if gauge.limit is not None]
        ),
    ),
    Metric(
        "castiron_store_changes_total",
        _COUNTER,
        (),
        "changes that were to be stored",
        figure("store", "changes"),
    ),
    Metric(
        "castiron_store_commits_total",
        _COUNTER,
        (),
        "transactions that they took",
        figure("store", "commits"),
    ),
    Metric(
        "castiron_store_failures_total",
        _COUNTER,
        (),
        "changes that could not be stored",
        figure("store", "failures"),
    ),
    Metric("castiron_store_writable", _GAUGE, (), "1: changes can be stored", figure("store", "is_writable")),
    Metric("castiron_ipmi_sessions", _GAUGE, (), "IPMI sessions that are open", ipmi_figure("sessions")),
    Metric("castiron_ipmi_calls", _GAUGE, (), "calls that BMCs are being asked for", ipmi_figure("in_flight")),
    Metric("castiron_ipmi_logins_total", _COUNTER, (), "IPMI sessions that were opened", ipmi_figure("logins")),
    Metric(
        "castiron_ipmi_logins_failed_total",
        _COUNTER,
        (),
        "logins that ended without a session",
        ipmi_figure("logins_failed"),
    ),
    Metric(
        "castiron_ipmi_datagrams_total",
        _COUNTER,
        ("what",),
        "datagrams `sent`, those of them that were `retransmitted`, those that the system would not take (`unsent`); "
        "`received`, those of them that were `dropped`, and those of nobody that was asked (`stray`)",
        of_ipmi("sent", "retransmitted", "unsent", "received", "dropped", "stray"),
    ),
    Metric(
        "castiron_messages_total",
        _COUNTER,
        ("what",),
        "clients' messages `received`, `answered`, `malformed`, `refused`; replies `dropped`; `events_published`, "
        "`events_skipped`",
        of(
            "transport",
            *("received", "answered", "malformed", "refused", "dropped", "events_published", "events_skipped"),
        ),
    ),
    Metric(
        "castiron_webhooks_total",
        _COUNTER,
        ("what",),
        "calls to webhooks `delivered`, attempts that `failed`, calls `given_up`",
        of("webhooks", "delivered", "failed", "given_up"),
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
