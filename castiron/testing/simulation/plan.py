"""What a simulation is made of: its size, its seed, what is wrong from the beginning, and how often what happens.

It says itself how it is written as a command, so that whatever is found can be replayed at a terminal.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from random import Random
from typing import Any, Final

from castiron.actors.settings import Settings
from castiron.testing.ailments import Ailments, faults_of, node_names, words_of
from castiron.testing.bmc import Faults
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
    faults: Ailments = field(default_factory=dict[str, Faults | str])
    """What is wrong with some BMCs from the beginning until the calm at the end, whatever else is drawn."""
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
        """Refuse what makes no simulation; whole numbers are as good as others, and are replayed as the same."""
        for one in fields(self):
            if isinstance(one.default, float):
                object.__setattr__(self, one.name, float(getattr(self, one.name)))
        if self.nodes < 1 or not 0 < self.days < inf:
            raise ValueError(f"a simulation takes at least one node, and time: {self.nodes} nodes, {self.days} days")
        for name, value in self._rates():
            if not (0 < value < inf if name.endswith("_s") else value >= 0):
                raise ValueError(f"{name} is a length of time above 0, or a number from 0 on: {value}")
        for name in ("dead_percent", "trouble_percent", "orders_percent"):
            if getattr(self, name) > 100:  # noqa: PLR2004 - per cent
                raise ValueError(f"{name} is no percentage: {getattr(self, name)}")
        TaskExecutor(self.task_executor)
        if self.rollout and self.faults:
            raise ValueError("a rollout has troubles of its own, and takes no faults")
        faults_of(self.faults, self.names)

    def _rates(self) -> Iterator[tuple[str, float]]:
        """Yield all that is a number, and neither the size nor the length."""
        for one in fields(self):
            if one.name not in ("nodes", "days") and type(one.default) in (int, float):
                yield one.name, getattr(self, one.name)

    @property
    def names(self) -> list[str]:
        """What its machines' nodes are called at first."""
        return node_names(self.nodes)

    @property
    def duration_s(self) -> float:
        """Seconds until the calm begins."""
        return self.days * DAY_S

    @property
    def command(self) -> str:
        """The command that runs it again, exactly."""
        words = ["castiron", "simulate", *(["--rollout"] if self.rollout else ())]
        for name in ALWAYS_SAID:
            words += [_option(name), f"{getattr(self, name)!r}"]
        for name in SAID_BY_OPTION:
            if (value := getattr(self, name)) != getattr(USUAL, name):
                words += [_option(name), f"{value}"]
        for nodes, faults in self.faults.items():
            words += ["--faults", nodes, words_of(faults)]
        for name in SETTABLE:
            if (value := getattr(self, name)) != getattr(USUAL, name):
                words += ["--set", f"{name}={value!r}"]
        return shlex.join(words)

    @staticmethod
    def read_number(text: str) -> tuple[str, float]:
        """Return the name and the value of one of SETTABLE, as `--set` takes them: "kill_mean_s=3600".

        Raises:
            ValueError: there is no such number, or it is none; the message says which there are.
        """
        name, _, value = text.partition("=")
        if name not in SETTABLE:
            raise ValueError(f"A plan has no number {name!r}; it has {', '.join(SETTABLE)}.")
        try:
            return name, int(value) if isinstance(getattr(USUAL, name), int) else float(value)
        except ValueError:
            raise ValueError(f"{text}: {value!r} is not a number as {name} is one.") from None

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


USUAL: Final = Plan()
"""All at its default."""

ALWAYS_SAID: Final = ("seed", "nodes", "days", "ipmi_nodes")
"""What a command says even where it is at its default: who reads it wants to know."""

SAID_BY_OPTION: Final = ("task_executor", "trouble_percent")
"""What has an option of its own, and is said where it is not at its default."""

SETTABLE: Final = tuple(
    one.name
    for one in fields(Plan)
    if one.name not in (*ALWAYS_SAID, *SAID_BY_OPTION) and type(one.default) in (int, float)
)
"""What `--set` takes: all other numbers."""


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
