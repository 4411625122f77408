"""What a simulation is made of: its size, its seed, and how often what happens. Numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from castiron.actors.settings import Settings
from castiron.transport.vocabulary import TaskExecutor

DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
MINUTE_S: Final = 60.0

CALM_S: Final = 2 * HOUR_S
"""At the end nothing more goes wrong for so long: more than anything that was begun may take."""


CALL_BACK_S: Final = 120.0
"""How long an agent may be silent in a rollout."""

OF_ROLLOUTS: Final[Mapping[str, Any]] = {
    "deploy_callback_timeout_s": CALL_BACK_S,
    "max_concurrent_deploy": 0,
    "max_concurrent_clean": 0,
    "max_workers": 1000,
    "workers_pool_size": 2400,
}
"""Settings with which nobody waits for a place: what one node does is no reason for another one to be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A simulation, before it runs. Means are of exponential distributions: times between, or lengths.

    Raises:
        ValueError: a number that makes no simulation.
    """

    seed: int = 0
    nodes: int = 100
    days: float = 7.0
    ipmi_nodes: int = 5
    """So many nodes are reached by the real IPMI engine, packet by packet; the others by the `direct` driver."""
    dead_percent: float = 5.0
    """Of the BMCs, so many never answer until the calm at the end."""
    check_interval_s: float = 15 * MINUTE_S
    """Between two power checks of one node. The default of conductors, 25 s, would be 2.4 million in a week of 100."""
    request_mean_s: float = 4 * HOUR_S
    """Between two wishes of users about one node."""
    fault_mean_s: float = 12 * HOUR_S
    """Between two faults of one BMC."""
    fault_length_mean_s: float = 15 * MINUTE_S
    """From a fault to its end."""
    press_mean_s: float = DAY_S
    """Between two hands on the power button of one machine."""
    actor_failure_mean_s: float = HOUR_S
    """Between two actors that fail."""
    kill_mean_s: float = 12 * HOUR_S
    """Between two ends of the whole conductor."""
    down_max_s: float = 60.0
    """How long there is no conductor then, at most."""
    disk_full_mean_s: float = DAY_S
    """Between two times at which the disk is full."""
    disk_full_length_mean_s: float = 2 * MINUTE_S
    """How long it stays full."""
    task_executor: str = TaskExecutor.BUILTIN.value
    """Who says which step of a node is next."""
    max_engines: int = 250
    """Engines of another executor than the built-in one, at most."""
    rollout: bool = False
    """Instead of all this: all machines are deployed at once, ten steps each. Then only what stands below counts."""
    trouble_percent: float = 5.0
    """Of the steps, so many fail, hang or return rubbish, and of the call-backs so many do not come, or come late."""
    orders_percent: float = 5.0
    """Of the nodes, so many are aborted, held or asked for twice while they are deployed."""
    kills: int = 4
    """So many steps end the conductor, and with it all that are under way."""

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.days <= 0:
            raise ValueError(f"a simulation takes at least one node, and time: {self.nodes} nodes, {self.days} days")
        if self.ipmi_nodes < 0 or not 0 <= self.dead_percent <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"not a number of nodes, or no percentage: {self.ipmi_nodes}, {self.dead_percent}")

    @property
    def duration_s(self) -> float:
        """Seconds until the calm begins."""
        return self.days * DAY_S

    @property
    def command(self) -> str:
        """The command that runs it again, if all that has no option is at its default."""
        if self.rollout:
            trouble = f"--trouble-percent {self.trouble_percent!r}"
            size = f"--nodes {self.nodes} --ipmi-nodes {self.ipmi_nodes}"
            return f"castiron simulate --rollout --seed {self.seed} {size} {trouble}"
        size = f"--nodes {self.nodes} --days {self.days!r} --ipmi-nodes {self.ipmi_nodes}"
        return f"castiron simulate --seed {self.seed} {size}"

    def settings(self) -> Settings:
        """Return the conductor's settings: the defaults, but that no event may leave the store before it is judged."""
        settings = Settings(
            sync_power_state_interval_s=self.check_interval_s,
            event_retention_s=self.duration_s + CALM_S + DAY_S,
            event_retention_count=100_000_000,
            task_executor=self.task_executor,
            max_engines=self.max_engines,
        )
        return replace(settings, **OF_ROLLOUTS) if self.rollout else settings

    def rng(self, purpose: str) -> Random:
        """Return the generator for one purpose, so that a change in one place moves nothing in the others."""
        return Random(f"{self.seed}/{purpose}")  # noqa: S311 - the seed is the point
