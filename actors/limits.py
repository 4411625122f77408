"""Every bound of the product in one table: what holds it, and what happens beyond it. docs/limits.md is made from it.

A test holds the table against the code: each `what` of a busy answer stands here, and each setting that is a bound. May
come in: a new bound. Must not: the code that keeps it.
"""

from typing import Final, NamedTuple

from castiron.actors.allocations.keeper import MAX_PENDING
from castiron.actors.bulkheads.bulkhead import DEFAULT_SPARE
from castiron.actors.core.machines.password import MAX_SETS
from castiron.actors.core.requests.submission import MAX_REQUESTERS
from castiron.actors.core.sensors.rules import MAX_RULES
from castiron.actors.coroutines.loops import MAX_HUNG
from castiron.actors.drivers.ipmi.bmc import MAX_WAITING as MAX_BMC_CALLS
from castiron.actors.drivers.ipmi.operations.records import MAX_RECORDS, MAX_RESERVATIONS
from castiron.actors.drivers.ipmi.operations.sel import MAX_POLLS, MAX_TRIES
from castiron.actors.drivers.ipmi.operations.sensors import MAX_SENSORS
from castiron.actors.drivers.methods.line import MAX_WAITING as MAX_METHOD_CALLS
from castiron.actors.metrics.prometheus.endpoint import MAX_SCRAPES
from castiron.actors.published.archive import MAX_QUESTIONS
from castiron.actors.published.board import MAX_ENDED
from castiron.actors.reception.rates import MAX_BUCKETS
from castiron.actors.sensors.readings import MAX_BYTES
from castiron.actors.settings import Settings
from castiron.actors.steps.results import MAX_PROGRESS_BYTES, MAX_REPORTS, MAX_RESULT_BYTES
from castiron.store.writer import MAX_BACKLOG
from castiron.transport.doors.answers import MAX_LARGE_BYTES
from castiron.transport.doors.publisher import MAX_WAITING
from castiron.transport.doors.unread import MAX_UNREAD_BYTES
from castiron.transport.frames import MAX_MESSAGE_BYTES
from castiron.transport.session import DEFAULT_LIMITS
from castiron.transport.verbs import MAX_LIST, MAX_RUNBOOK_BYTES, MAX_RUNBOOKS
from castiron.transport.verbs.provisioning import MAX_STEPS

BUSY: Final = "conductor.overloaded"
WAITS: Final = "none: it waits"
_NO: Final = False


class Bound(NamedTuple):
    """One bound."""

    what: str
    """As busy answers and `castiron status` name it."""
    limit: str | int | None
    """The setting that holds it, or its fixed value; None: the operating system's."""
    beyond: str
    answer: str
    warns: bool = True
    """There is an event at four fifths of it, and a gauge in `castiron status`."""

    def value(self) -> str:
        """Return its default."""
        if self.limit is None:
            return "`ulimit -n`"
        limit = getattr(Settings(), self.limit) if isinstance(self.limit, str) else self.limit
        return f"{limit:,.15g}"


BOUNDS: Final = (
    Bound("work_rate", "work_rate_per_s", "messages that make work, of one identity; after a burst", BUSY, _NO),
    Bound("work_rate", "work_rate_burst", "the burst of these", BUSY),
    Bound("read_rate", "read_rate_per_s", "messages that only look, of one identity; after a burst", BUSY, _NO),
    Bound("read_rate", "read_rate_burst", "the burst of these", BUSY),
    Bound("open_requests", "max_open_requests", "requests accepted and not ended: a new one is refused", BUSY),
    Bound("open_requests_per_requester", "max_open_requests_per_requester", "the same, of one identity", BUSY),
    Bound("node_queue", "node_queue_limit", "requests that wait for one node: a new one is refused", "mailbox.full"),
    Bound("request_sharers", MAX_REQUESTERS, "who want one request, or are to be called back", "mailbox.full", _NO),
    Bound("node_mailbox", "node_mailbox_limit", "messages of users that one actor has not read", "mailbox.full"),
    Bound("actions", "max_running_actions", "the action waits in its node's queue; those who ask take turns", WAITS),
    Bound("power_actions", "max_concurrent_power", "a power action waits likewise; others pass it; 0: off", WAITS),
    Bound("power_rate", "power_action_rate_per_s", "power actions that begin; the next waits; 0: off", WAITS, _NO),
    Bound("power_rate", "power_action_rate_burst", "the burst of these", WAITS, _NO),
    Bound("deploy_actions", "max_concurrent_deploy", "the same for deploy and rebuild, waits included; 0: off", WAITS),
    Bound("clean_actions", "max_concurrent_clean", "the same for clean, provide and undeploy; 0: off", WAITS),
    Bound(
        "engines",
        "max_engines",
        "a move, or a list that goes on, waits likewise, with task_executor=taskflow; others pass it",
        WAITS,
    ),
    Bound("engine_turns", "engine_threads", "an engine waits for another to end its turn", WAITS, _NO),
    Bound("steps", "max_workers", "a step that may block waits for another to end", WAITS),
    Bound("periodics", "periodic_max_workers", "a quick run of a periodic task waits for another to end", WAITS),
    Bound("periodics_long", "periodic_max_long_runs", "one that takes long waits for its like", WAITS, _NO),
    Bound(
        "left_behind",
        "workers_pool_size",
        "threads of one share that hang: beyond its spare ones they cost its places; then nothing begins there",
        "step.failed",
    ),
    Bound("logins", "ipmi_max_logins", "the login waits for another to end", WAITS, _NO),
    Bound("logins_per_s", "ipmi_max_logins_per_s", "a login waits; those of requests go first; 0: off", WAITS, _NO),
    Bound(
        "datagrams_per_s",
        "ipmi_max_datagrams_per_s",
        "what has not begun waits: checks for requests, long readings for both; 0: off",
        WAITS,
    ),
    Bound(
        "datagrams_per_bmc_per_s",
        "ipmi_max_datagrams_per_bmc_per_s",
        "to one address: the next command waits; 0: off",
        WAITS,
        _NO,
    ),
    Bound("calls_per_bmc", "ipmi_max_calls_per_bmc", "a command to the same address waits for one to end", WAITS, _NO),
    Bound("redfish_calls", "redfish_max_calls", "a call to another Redfish BMC waits for one to end", WAITS, _NO),
    Bound("redfish_slow_calls", "redfish_max_slow_calls", "the same, of those that take long", WAITS, _NO),
    Bound(
        "driver_calls", "driver_max_calls", "a call of a driver's method that may block waits for another", WAITS, _NO
    ),
    Bound(
        "driver_waiting", MAX_METHOD_CALLS, "calls for one BMC of such a driver: one more is refused", "bmc.busy", _NO
    ),
    Bound("driver_slow_calls", "driver_max_slow_calls", "the same, where its BMC was slow the last time", WAITS, _NO),
    Bound("coroutines", "max_coroutines", "a coroutine waits for another step, run or call that is one", WAITS, _NO),
    Bound(
        "coroutines_left",
        DEFAULT_SPARE,
        "steps, runs, or calls that do not end though they were cancelled: beyond these they cost places",
        "step.failed",
        _NO,
    ),
    Bound("coroutine_loops", MAX_HUNG, "loops that hang: no other takes their place, and nothing begins", "none", _NO),
    Bound("step_list", MAX_STEPS, "a list of steps has no more", "argument.invalid", _NO),
    Bound("step_result_bytes", MAX_RESULT_BYTES, "bytes of what a step returns: it has failed", "step.failed", _NO),
    Bound("step_reports", MAX_REPORTS, "of one attempt of a step: further ones are told to nobody", "none", _NO),
    Bound("step_report_bytes", MAX_PROGRESS_BYTES, "bytes of one report: the step is told so", "step.failed", _NO),
    Bound("password_sets", MAX_SETS, "times that a silent BMC is told its new password", "bmc.unreachable", _NO),
    Bound("bmc_calls", MAX_BMC_CALLS, "calls that wait for one BMC: one more is refused", "bmc.busy", _NO),
    Bound(
        "sensor_records",
        MAX_RECORDS,
        "of a BMC's sensor records, the others are left out, and that is told",
        "none",
        _NO,
    ),
    Bound("sensors", MAX_SENSORS, "of a BMC's sensors, the others are left out, and their count is told", "none", _NO),
    Bound("reservations", MAX_RESERVATIONS, "of one walk over the records, which others end", "bmc.busy", _NO),
    Bound("erasures", MAX_TRIES, "of an event log that are begun, where others end them", "bmc.busy", _NO),
    Bound(
        "erasure_looks", MAX_POLLS, "at an erasure, twice a second; then it is not known to be done", "bmc.fault", _NO
    ),
    Bound("sensor_readings", "sensor_data_workers", "the reading of a node's sensors waits for another's", WAITS, _NO),
    Bound("sensor_data_bytes", MAX_BYTES, "the readings of the node read longest ago are forgotten", "none", _NO),
    Bound("alarm_rules", MAX_RULES, "more alarm rules: the conductor does not start", "none", _NO),
    Bound("waiters", "max_waiters", "clients that wait for ends: one more is refused; poll instead", BUSY),
    Bound("fleet", "fleet_mailbox_limit", "creations and changes of nodes that wait; also while it is replaced", BUSY),
    Bound("allocations", "max_allocations", "allocations that there may be, failed ones included", BUSY),
    Bound("allocation_changes", "fleet_mailbox_limit", "what is asked of the keeper of allocations, and waits", BUSY),
    Bound("allocation_changes", MAX_PENDING, "the same, of one allocation for which something is under way", BUSY),
    Bound("archive", MAX_QUESTIONS, "questions to the store that wait: one more is refused", BUSY),
    Bound("writer", MAX_BACKLOG, "changes that wait for the disk: one more is refused", "store.unavailable"),
    Bound("in_flight", DEFAULT_LIMITS.in_flight, "messages without a last reply: one more is refused", BUSY),
    Bound("in_flight_per_peer", DEFAULT_LIMITS.in_flight_per_peer, "the same, of one socket", BUSY),
    Bound("peers", DEFAULT_LIMITS.peers, "an idle peer is forgotten; if none is idle, the new one is refused", BUSY),
    Bound("unread_bytes", MAX_UNREAD_BYTES, "bytes of large replies that nobody reads: busy instead of them", BUSY),
    Bound("unsent_bytes", MAX_LARGE_BYTES, "bytes of large replies on their way to the door: busy instead", BUSY),
    Bound("events_waiting", MAX_WAITING, "the slowest subscriber loses events, and sees the gap", "none: a gap"),
    Bound(
        "bulks",
        "max_bulks",
        "bulks under way: one more is refused; at twice as many one that is sent again, too",
        BUSY,
    ),
    Bound("bulk_nodes", "max_bulk_nodes", "nodes of all bulks under way: one more bulk is refused", BUSY),
    Bound("metric_nodes", "prometheus_max_nodes", "nodes with metrics of their own; others have none", "none", _NO),
    Bound("scrapes", MAX_SCRAPES, "readers of metrics at once: one more is closed at once", "none", _NO),
    Bound("message_bytes", MAX_MESSAGE_BYTES, "a longer body is refused", "frame.too_large", _NO),
    Bound("runbooks", MAX_RUNBOOKS, "runbooks that are stored: a new one is refused", "runbook.too_many", _NO),
    Bound("runbook_bytes", MAX_RUNBOOK_BYTES, "steps and extra of one runbook, as JSON", "argument.invalid", _NO),
    Bound("list_steps", MAX_STEPS, "steps of one request, or of one runbook", "argument.invalid", _NO),
    Bound("list", MAX_LIST, "a page has no more; the next follows its marker", "argument.invalid", _NO),
    Bound("rate_buckets", MAX_BUCKETS, "the identity heard of least lately is forgotten: its bucket is full", "none"),
    Bound("ended", MAX_ENDED, "ended requests in memory; older ones come from the store", "none", _NO),
    Bound("webhooks", "webhook_max_waiting", "calls that are owed: the oldest are given up, with an event", "none"),
    Bound("webhooks_in_flight", "webhook_max_in_flight", "a call waits for another to end", WAITS, _NO),
    Bound(
        "webhooks_in_flight_per_destination",
        "webhook_max_in_flight_per_destination",
        "a call waits for another to end",
        WAITS,
        _NO,
    ),
    Bound("descriptors", None, "files and sockets: no new client gets in, and no webhook out", "none"),
    Bound("events", "event_retention_count", "the oldest events are forgotten, beside each node's latest", "none", _NO),
    Bound("history", "node_history_max_entries", "a node's oldest events are forgotten", "none", _NO),
)

REPLACED: Final = {
    "node actor": "the node's actor is being replaced",
    "keeper": "the keeper of allocations is being replaced",
    "supervisor": "the supervisor has too much to do",
}
"""What else is busy, for a moment, without a bound of its own → why."""
