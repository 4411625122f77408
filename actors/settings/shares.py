"""Who may wait for machines, receivers and strangers' code, and for how many at once: shares of one workers_pool_size.

Each share is a budget of its own, so what is slow or hangs in one delays none of the others. Most places take a thread
while they are held; those of an event loop do not. Coroutines have budgets that are no part of the pool. What is left
of the pool is spare threads, as many for each share that has threads: for what turns out to take long, and for what
hangs. May come in: another share. Must not: who works.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from castiron.actors.settings.values import SettingInvalid

if TYPE_CHECKING:
    from castiron.actors.settings.table import Settings

LEAST_SPARE: Final = 4
"""Spare threads of each share: one that hangs, or takes long, must not at once cost a place."""


class Share(NamedTuple):
    """One budget."""

    name: str
    what: str
    """What has a place."""
    limit: str | int
    """The setting that holds the number of its places, or a fixed one."""
    long_limit: str | None = None
    """That of its places for what is known to take long; None: it has none of its own."""
    has_threads: bool = True

    def places(self, settings: "Settings") -> int:
        """Return how many it has for what is quick, or for all where it makes no difference."""
        return _value(settings, self.limit)

    def long_places(self, settings: "Settings") -> int:
        """Return how many it has for what is known to take long."""
        return 0 if self.long_limit is None else _value(settings, self.long_limit)

    def named(self, settings: "Settings") -> str:
        """Return its settings with their values."""
        return " + ".join(
            f"{limit} {_value(settings, limit)}" if isinstance(limit, str) else f"{self.name} {limit}"
            for limit in (self.limit, self.long_limit)
            if limit is not None
        )


STEPS: Final = "steps"
ENGINE_TURNS: Final = "engine_turns"
PERIODICS: Final = "periodics"
QUICK_PERIODICS: Final = "quick_periodics"
REDFISH: Final = "redfish_calls"
LOOK_UPS: Final = "look_ups"
WEBHOOKS: Final = "webhook_look_ups"
LOGINS: Final = "logins"
SENSORS: Final = "sensor_readings"
DRIVERS: Final = "driver_calls"
COROUTINE_STEPS: Final = "coroutine_steps"
COROUTINE_PERIODICS: Final = "coroutine_periodics"
COROUTINE_CALLS: Final = "coroutine_driver_calls"
CALLS: Final = "webhook_calls"

SHARES: Final = (
    Share(STEPS, "steps that may block", "max_workers"),
    Share(ENGINE_TURNS, "turns of TaskFlow's engines", "engine_threads"),
    Share(PERIODICS, "periodic tasks that may block", "periodic_max_workers", "periodic_max_long_runs"),
    Share(QUICK_PERIODICS, "periodic tasks that do not block", 1),
    Share(REDFISH, "calls to Redfish BMCs", "redfish_max_calls", "redfish_max_slow_calls"),
    Share(DRIVERS, "drivers' methods that may block", "driver_max_calls", "driver_max_slow_calls"),
    Share(LOOK_UPS, "look-ups of the names of IPMI BMCs", 16),
    Share(WEBHOOKS, "look-ups of the names of webhooks' receivers", "webhook_max_in_flight"),
    Share(CALLS, "webhooks", "webhook_max_in_flight", has_threads=False),
    Share(LOGINS, "IPMI logins", "ipmi_max_logins", has_threads=False),
    Share(SENSORS, "readings of sensors", "sensor_data_workers", has_threads=False),
)

COROUTINES: Final = (
    Share(COROUTINE_STEPS, "steps that are coroutines", "max_coroutines", has_threads=False),
    Share(COROUTINE_PERIODICS, "periodic tasks that are coroutines", "max_coroutines", has_threads=False),
    Share(COROUTINE_CALLS, "drivers' methods that are coroutines", "max_coroutines", has_threads=False),
)
"""What runs on the conductor's loop: budgets of their own, as memory is all that a coroutine takes."""


def taken(settings: "Settings") -> int:
    """Return how many places all shares have together."""
    return sum(share.places(settings) + share.long_places(settings) for share in SHARES)


def spare(settings: "Settings") -> int:
    """Return how many spare threads each share has that has threads."""
    return (settings.workers_pool_size - taken(settings)) // _threaded()


def check_shares(settings: "Settings") -> None:
    """Hold the pool against its shares.

    Raises:
        SettingInvalid: they do not fit.
    """
    least = taken(settings) + LEAST_SPARE * _threaded()
    if settings.workers_pool_size < least:
        shares = ", ".join(share.named(settings) for share in SHARES)
        raise SettingInvalid(
            f"workers_pool_size: {settings.workers_pool_size} is less than its shares together, {least}: {shares}, and "
            f"{LEAST_SPARE} spare threads for each of {_threaded()}. Raise it to {least}, or lower one of them."
        )


def _threaded() -> int:
    return sum(share.has_threads for share in SHARES)


def _value(settings: "Settings", limit: str | int) -> int:
    return int(getattr(settings, limit)) if isinstance(limit, str) else limit
