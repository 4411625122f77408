"""The settings of a node's world: times that a story in virtual time gets through."""

from castiron.actors.settings import Settings

SETTINGS = Settings(
    power_state_change_timeout_s=10.0,
    soft_power_off_timeout_s=30.0,
    command_timeout_s=4.0,
    power_poll_initial_s=0.5,
    power_poll_max_s=2.0,
    unknown_outcome_settle_s=3.0,
    sync_power_state_interval_s=0.0,
)
"""Without power checks: they have a world of their own, and hypothesis meets both."""
RECOVERY_PAUSE_S = 1.0
DRIVER_TICK_S = 0.1
"""How long after its deadline a driver may take to say that there was no answer."""
