"""Which settings a conductor can be given while it runs, and what of a change has to wait for a restart. Pure.

LIVE are those that are read anew for each decision; all others were built into some part at the start. May come in:
another setting that nobody keeps a copy of (a test looks for copies). Must not: how a change gets to the conductor.
"""

from dataclasses import dataclass, fields, replace
from typing import Final

from castiron.actors.settings.table import Settings

LIVE: Final = frozenset(
    {
        "power_state_change_timeout_s",
        "soft_power_off_timeout_s",
        "command_timeout_s",
        "power_poll_initial_s",
        "power_poll_max_s",
        "unknown_outcome_settle_s",
        "sync_power_state_interval_s",
        "power_check_backoff_max_s",
        "power_state_sync_max_retries",
        "power_failure_recovery_interval_s",
        "power_check_in_maintenance",
        "step_timeout_s",
        "deploy_callback_timeout_s",
        "clean_callback_timeout_s",
        "service_callback_timeout_s",
        "rescue_callback_timeout_s",
        "inspect_wait_timeout_s",
        "max_bulks",
        "max_bulk_nodes",
        "max_allocations",
        "prometheus_max_nodes",
    }
)
"""What is under way keeps the times that it began with; the next decision goes by the new ones."""

FROM_NOTHING: Final = frozenset(
    {"sync_power_state_interval_s", "power_failure_recovery_interval_s", "power_check_in_maintenance"}
)
"""Of these, those that cannot be switched on: a node that is not checked has no timer that would notice it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What came of a change of settings."""

    settings: Settings
    """To go by from now on."""
    changed: tuple[str, ...]
    """Names of those that hold from now on, in the table's order."""
    restart: tuple[str, ...]
    """Names of those that are as they were until a restart."""


def reloaded(before: Settings, wanted: Settings) -> Reloaded:
    """Return what holds now, where other settings are wanted.

    Raises:
        SettingInvalid: what can be changed does not go together with what cannot; nothing of it holds.
    """
    differing = [item.name for item in fields(Settings) if getattr(before, item.name) != getattr(wanted, item.name)]
    changed = tuple(name for name in differing if _is_live(name, before))
    settings = replace(before, **{name: getattr(wanted, name) for name in changed})
    return Reloaded(
        settings=settings, changed=changed, restart=tuple(name for name in differing if name not in changed)
    )


def _is_live(name: str, before: Settings) -> bool:
    return name in LIVE and not (name in FROM_NOTHING and not getattr(before, name))
