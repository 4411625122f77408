"""Every setting of a conductor, with its default, its bounds and its meaning; one typed structure.

May come in: another setting. Must not: how its text is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib.util import find_spec
from typing import Final

from castiron.actors.periodics.strategies import Strategy
from castiron.actors.settings.declaring import setting as _setting
from castiron.actors.settings.declaring import switch as _switch
from castiron.actors.settings.declaring import words as _words
from castiron.actors.settings.prometheus import check_prometheus
from castiron.actors.settings.shares import check_shares
from castiron.actors.settings.values import SettingInvalid, check_value
from castiron.transport.verbs.arguments import LEAST_INTERVAL_S
from castiron.transport.vocabulary import EngineMode, TaskExecutor
from castiron.transport.webhooks.addresses import AddressRefused, Allowed

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a conductor can be told. Names and defaults are Ironic's wherever it has them."""

    power_state_change_timeout_s: float = _setting(
        60.0, "seconds for a machine to reach a power state; a reboot counts it once per half", least=0.1, most=DAY_S
    )
    soft_power_off_timeout_s: float = _setting(
        600.0, "seconds for an operating system to shut down", least=0.1, most=DAY_S
    )
    command_timeout_s: float = _setting(15.0, "seconds for one command to a BMC, login included", least=0.1, most=600.0)
    power_poll_initial_s: float = _setting(
        0.1, "seconds between the first two looks at a machine that is changing its power state", least=0.01, most=60.0
    )
    power_poll_max_s: float = _setting(2.0, "the same, after the wait has doubled often enough", least=0.01, most=60.0)
    unknown_outcome_settle_s: float = _setting(
        5.0, "seconds that a command of unknown outcome has to show an effect before another", least=0.0, most=600.0
    )
    sync_power_state_interval_s: float = _setting(
        25.0,
        "seconds between two power checks of a machine; 0: none",
        least=0.0,
        above_zero=LEAST_INTERVAL_S,
        most=DAY_S,
    )
    power_check_start_spread_s: float = _setting(
        10.0, "seconds over which the first checks, and logins, are spread at a start", least=0.0, most=3600.0
    )
    power_check_after_action_s: float = _setting(
        3.0,
        "seconds from the end of an action on a machine's power to the next check; each further one comes after twice "
        "as long, up to the usual interval; 0: checks do not come more often then",
        least=0.0,
        above_zero=LEAST_INTERVAL_S,
        most=3600.0,
    )
    power_check_backoff_max_s: float = _setting(
        300.0, "the most that the interval grows to by doubling while a BMC gives no power state", least=0.0, most=DAY_S
    )
    power_state_sync_max_retries: int = _setting(
        3, "checks in a row that may fail; one more, and the node gets the fault `power failure`", least=0, most=1000
    )
    power_failure_recovery_interval_s: float = _setting(
        300.0,
        "seconds between two checks of a node with the fault `power failure`; 0: none",
        least=0.0,
        above_zero=LEAST_INTERVAL_S,
        most=DAY_S,
    )
    force_power_state_during_sync: bool = _switch(
        "drive a machine that is found in another power state back to the one on record, instead of following it; "
        "never one in maintenance",
        default=False,
    )
    power_check_in_maintenance: bool = _switch("check machines whose maintenance was set by hand, too", default=False)
    max_running_actions: int = _setting(
        10_000, "actions that may run at once; further ones wait in their node's queue", least=1, most=1_000_000
    )
    max_concurrent_power: int = _setting(
        0,
        "power actions that may run at once; further ones wait in their node's queue; 0: any",
        least=0,
        most=1_000_000,
    )
    power_action_rate_per_s: float = _setting(
        0.0,
        "power actions that may begin in a second, of all nodes; further ones wait, and those who asked take turns; "
        "0: any number",
        least=0.0,
        most=1e6,
    )
    power_action_rate_burst: int = _setting(10, "the same, at once after a rest", least=1, most=1_000_000)
    max_concurrent_deploy: int = _setting(
        250, "nodes that may be deployed or torn down at once, waits included; 0: any number", least=0, most=1_000_000
    )
    max_concurrent_clean: int = _setting(
        50, "nodes that may be cleaned at once, waits included; 0: any number", least=0, most=1_000_000
    )
    engine_mode: str = _words(
        "how the steps of one node run: `serial`, or `parallel` as far as their `after` lets them", "serial"
    )
    task_executor: str = _words(
        "who says which step of a node is next: `builtin`, or `taskflow` with the extra castiron[taskflow]", "builtin"
    )
    max_engines: int = _setting(
        250,
        "engines of task_executor=taskflow open at once, waits and holds not among them; further moves wait likewise",
        least=1,
        most=100_000,
    )
    engine_threads: int = _setting(
        2, "threads that such engines take their turns on; what steps do runs on others", least=1, most=64
    )
    workers_pool_size: int = _setting(
        1600,
        "places for what waits for a machine, a receiver or a stranger's code, of all shares together: the workers, "
        "threads, runs, calls and logins below, and twice webhook_max_in_flight; what is left are spare threads for "
        "what hangs",
        least=3,
        most=1_000_000,
    )
    max_workers: int = _setting(
        10, "steps that may run at once in threads; further ones wait for one to end", least=1, most=1000
    )
    periodic_max_workers: int = _setting(
        8, "runs of periodic tasks at once that may block; further ones wait for one to end", least=1, most=1000
    )
    periodic_max_long_runs: int = _setting(
        64,
        "the same, of those whose last run took longer than a quarter of a second: they wait for each other alone",
        least=1,
        most=1000,
    )
    periodic_strategy: str = _words(
        "from when the spacing of a periodic task counts that does not say: `last_started`, `last_finished`, "
        "`aligned_last_finished`, each also with `_jitter`",
        "last_started",
    )
    send_sensor_data: bool = _switch(
        "read the sensors of all nodes, but for those whose sensor_data_interval_s is 0; "
        "off: of those only that have one of their own",
        default=False,
    )
    sensor_data_interval_s: float = _setting(
        600.0, "seconds between two readings of a node's sensors", least=1.0, most=DAY_S
    )
    sensor_data_workers: int = _setting(
        64, "nodes whose sensors are read at once; they take no threads", least=1, most=10_000
    )
    sensor_data_wait_timeout_s: float = _setting(
        120.0,
        "seconds for one reading of a node's sensors, requests and checks in between included",
        least=1.0,
        most=3600.0,
    )
    alarm_rules_file: str = _words("the TOML file with the alarm rules for sensors; none: there are no alarms", "")
    disabled_periodics: tuple[str, ...] = _words(
        "names of periodic tasks that never run, as `castiron periodics` tells"
    )
    step_timeout_s: float = _setting(600.0, "seconds for a step that has no time of its own", least=0.1, most=7 * DAY_S)
    deploy_callback_timeout_s: float = _setting(
        1800.0,
        "seconds that whoever works on a machine may be silent while it is deployed; 0: for ever",
        least=0.0,
        most=7 * DAY_S,
    )
    clean_callback_timeout_s: float = _setting(1800.0, "the same, while it is cleaned", least=0.0, most=7 * DAY_S)
    service_callback_timeout_s: float = _setting(1800.0, "the same, while it is serviced", least=0.0, most=7 * DAY_S)
    rescue_callback_timeout_s: float = _setting(1800.0, "the same, while it is rescued", least=0.0, most=7 * DAY_S)
    inspect_wait_timeout_s: float = _setting(1800.0, "the same, while it is inspected", least=0.0, most=7 * DAY_S)
    max_open_requests: int = _setting(
        50_000, "requests that may be accepted and not have ended", least=1, most=1_000_000
    )
    max_open_requests_per_requester: int = _setting(
        25_000, "the same, of one requester: a key, or a user of this machine", least=1, most=1_000_000
    )
    max_allocations: int = _setting(
        20_000,
        "allocations that there may be, those that failed and were not deleted included",
        least=1,
        most=1_000_000,
    )
    work_rate_per_s: float = _setting(
        5000.0, "messages that make work, which a requester may send per second; 0: any number", least=0.0, most=1e6
    )
    work_rate_burst: int = _setting(
        10_000, "the same, at once after a rest: one for each of so many nodes", least=1, most=1_000_000
    )
    read_rate_per_s: float = _setting(
        50_000.0, "messages that only look, which a requester may send per second; 0: any number", least=0.0, most=1e6
    )
    read_rate_burst: int = _setting(100_000, "the same, at once after a rest", least=1, most=1_000_000)
    node_mailbox_limit: int = _setting(64, "messages of users that may wait at one node's actor", least=1, most=100_000)
    node_queue_limit: int = _setting(16, "requests that may wait for one node", least=1, most=10_000)
    fleet_mailbox_limit: int = _setting(
        10_000, "creations and changes of nodes that may wait at once", least=1, most=1_000_000
    )
    dispatcher_threads: int = _setting(4, "threads that run actors", least=1, most=64)
    dispatcher_throughput: int = _setting(
        32, "messages that an actor handles before its thread moves on", least=1, most=10_000
    )
    slow_turn_s: float = _setting(
        0.5, "seconds from which on a turn of an actor counts as slow, and is told", least=0.01, most=600.0
    )
    lag_warning_s: float = _setting(
        0.25,
        "seconds that a message may wait for its turn, at p99 of a minute, before it is told",
        least=0.01,
        most=600.0,
    )
    hung_turn_s: float = _setting(
        10.0, "seconds after which an actor's turn counts as hung and it is replaced", least=0.1, most=600.0
    )
    restart_intensity: int = _setting(
        5, "failures of one node's actor within restart_period_s after which the node is put aside", least=1, most=1000
    )
    restart_period_s: float = _setting(60.0, "seconds that failures are counted over", least=1.0, most=DAY_S)
    restart_delay_initial_s: float = _setting(
        0.1, "seconds before an actor's first restart; doubles with each failure in the period", least=0.0, most=60.0
    )
    restart_delay_max_s: float = _setting(1.5, "the most that such a delay grows to", least=0.0, most=600.0)
    max_waiters: int = _setting(
        10_000, "clients that may wait for the end of requests at once", least=1, most=1_000_000
    )
    max_bulks: int = _setting(32, "bulks that may be under way at once", least=1, most=10_000)
    max_bulk_nodes: int = _setting(
        100_000, "nodes that all bulks under way may have together: some 100 MB", least=1, most=10_000_000
    )
    request_retention_s: float = _setting(
        172_800.0,
        "seconds that a request is kept after its end (48 h, as Glance's tasks)",
        least=60.0,
        most=365 * DAY_S,
    )
    event_retention_s: float = _setting(
        604_800.0, "seconds that an event can be replayed (a week)", least=60.0, most=365 * DAY_S
    )
    event_retention_count: int = _setting(
        100_000, "events that can be replayed, whatever their age: some 40 MB", least=100, most=100_000_000
    )
    node_history_max_entries: int = _setting(
        300, "of its latest events, what each node keeps however old they are", least=0, most=100_000
    )
    ipmi_max_logins: int = _setting(
        640, "IPMI logins under way at once; a silent BMC holds none", least=1, most=100_000
    )
    ipmi_max_logins_per_s: float = _setting(
        1000.0, "IPMI logins begun per second, by BMCs that have answered; 0: any number", least=0.0, most=1e6
    )
    ipmi_max_datagrams_per_s: float = _setting(
        10_000.0,
        "datagrams to all IPMI BMCs per second; beyond it checks wait, requests go first; 0: any number",
        least=0.0,
        most=1e6,
    )
    ipmi_max_datagrams_per_bmc_per_s: float = _setting(
        100.0, "the same, to one address, which several nodes may share; 0: any number", least=0.0, most=1e6
    )
    ipmi_max_calls_per_bmc: int = _setting(
        2,
        "commands at once to one address, which several nodes may share; checks leave the last place to requests",
        least=1,
        most=64,
    )
    redfish_max_calls: int = _setting(
        16, "Redfish BMCs that are asked at once, in as many threads; each by one call at a time", least=1, most=1000
    )
    redfish_max_slow_calls: int = _setting(
        64,
        "the same, beside them, of those that were slow or silent the last time, or are asked what takes long",
        least=1,
        most=1000,
    )
    driver_max_calls: int = _setting(
        16,
        "calls of drivers' methods that may block, at once, in as many threads; one at a time for each BMC",
        least=1,
        most=1000,
    )
    driver_max_slow_calls: int = _setting(
        64, "the same, beside them, of those whose BMC was slow or silent the last time", least=1, most=1000
    )
    max_coroutines: int = _setting(
        1000,
        "steps, as many runs of periodic tasks, and as many calls of drivers' methods, that may be under way at once "
        "where they are written `async def`; they take no worker",
        least=1,
        most=100_000,
    )
    webhook_allowed_prefixes: tuple[str, ...] = _words(
        "URLs at and below which a request's callback_url may be; none: callback_url is refused"
    )
    webhook_key_file: str = _words("the file with the secrets that calls are signed with; mode 0600", "")
    webhook_allow_plain_http: bool = _switch("http may be called beyond this machine, too", default=False)
    webhook_timeout_s: float = _setting(
        10.0, "seconds for one call, from the look-up of the name to the status of the answer", least=0.1, most=600.0
    )
    webhook_retry_initial_s: float = _setting(
        1.0, "seconds before a call is made again; doubles with each attempt", least=0.01, most=3600.0
    )
    webhook_retry_max_s: float = _setting(300.0, "the most that this grows to", least=0.01, most=DAY_S)
    webhook_give_up_after_s: float = _setting(
        DAY_S,
        "seconds after the end of a request, from which on a call that fails is not made again; "
        "at the most request_retention_s",
        least=1.0,
        most=365 * DAY_S,
    )
    webhook_max_waiting: int = _setting(
        10_000, "calls that may be owed at once: some 20 MB; beyond it the oldest are given up", least=1, most=1_000_000
    )
    webhook_max_in_flight: int = _setting(
        16, "calls under way at once; at the most half of them to receivers that fail", least=1, most=1000
    )
    webhook_max_in_flight_per_destination: int = _setting(
        1, "of these, to one receiver; 1 keeps calls in the order of their events", least=1, most=1000
    )
    prometheus_port: int = _setting(
        0,
        "the TCP port of http://ADDRESS:PORT/metrics, with the extra castiron[prometheus]; 0: none",
        least=0,
        most=65535,
    )
    prometheus_address: str = _words("the IP address of that", "127.0.0.1")
    prometheus_allow_remote: bool = _switch(
        "it may be one that others than this machine reach: there are no keys, and everybody may read", default=False
    )
    prometheus_max_nodes: int = _setting(
        0,
        "nodes with metrics of their own, the first ones by name, some 10 lines each and 1 a sensor; 0: none",
        least=0,
        most=10_000,
    )
    graceful_shutdown_timeout_s: float = _setting(
        8.0, "seconds that an orderly stop may take: log-outs, last commits", least=0.1, most=600.0
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            check_value(item, getattr(self, item.name))
        for smaller, larger in ORDERED:
            if getattr(self, smaller) > getattr(self, larger):
                raise SettingInvalid(
                    f"{smaller}: {getattr(self, smaller)!r} is more than {larger}, {getattr(self, larger)!r}; "
                    "lower the one or raise the other."
                )
        for name, words in WORDS.items():
            if getattr(self, name) not in set(words):
                raise SettingInvalid(f"{name}: {getattr(self, name)!r} is none; it takes {', '.join(words)}.")
        check_shares(self)
        self._check_executor()
        self._check_webhooks()
        check_prometheus(self.prometheus_port, self.prometheus_address, allow_remote=self.prometheus_allow_remote)

    def _check_executor(self) -> None:
        if self.task_executor == TaskExecutor.TASKFLOW and find_spec("taskflow") is None:
            raise SettingInvalid(
                "task_executor: TaskFlow is not installed here: `pip install castiron[taskflow]`, or leave it builtin."
            )

    def _check_webhooks(self) -> None:
        try:
            Allowed(self.webhook_allowed_prefixes, plain_http=self.webhook_allow_plain_http)
        except AddressRefused as error:
            raise SettingInvalid(f"webhook_allowed_prefixes: {error}") from None
        if self.webhook_allowed_prefixes and not self.webhook_key_file:
            raise SettingInvalid("webhook_key_file: calls must be signed; name the file with the secret to sign with.")


ORDERED: Final = (
    ("power_poll_initial_s", "power_poll_max_s"),
    ("restart_delay_initial_s", "restart_delay_max_s"),
    ("webhook_retry_initial_s", "webhook_retry_max_s"),
)
"""Pairs of settings of which the first must not be more than the second."""


WORDS: Final[Mapping[str, type[StrEnum]]] = {
    "engine_mode": EngineMode,
    "task_executor": TaskExecutor,
    "periodic_strategy": Strategy,
}
"""Settings that take one of some words → these."""
