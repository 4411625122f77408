"""Declaring a periodic task: a marked function or method, with how often it runs and how it is treated.

    class Inventory:
        @castiron.periodic(spacing_s=600, timeout_s=30)
        def look_for_new_racks(self) -> None: ...

        @castiron.periodic(spacing_s=600, per="node", drivers=["ipmi"])
        async def read_power_meter(self, node: castiron.NodeContext) -> None: ...

Either may be written `def` or `async def`: the one may block, the other awaits, on the conductor's loop. Methods that
are marked with `futurist.periodics.periodic` are taken as they are: its marks are read, its module is not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from castiron.actors.coroutines.coroutines import is_coroutine_function
from castiron.actors.periodics.context import When
from castiron.actors.periodics.strategies import DEFAULT_JITTER, Strategy
from castiron.transport.vocabulary import Instant

Marked = TypeVar("Marked", bound=Callable[..., Any])

MARK: Final = "_castiron_periodic"

CONDUCTOR: Final = "conductor"
NODE: Final = "node"
PER: Final = (CONDUCTOR, NODE)
"""What a task can be for."""

FUTURIST_MARKS: Final = ("_is_periodic", "_periodic_spacing", "_periodic_run_immediately")


FUTURIST_NEVER_AGAIN: Final = ("futurist.periodics", "NeverAgain")
"""Known by its names, as its marks are: castiron does not need it."""


class NeverAgain(Exception):
    """Raised by a periodic task that is to run no more; that run counts as a success. Futurist's own does as well."""


def says_never_again(error: BaseException | None) -> bool:
    """Return whether a task is to run no more, in castiron's words or in Futurist's."""
    kinds = type(error).__mro__
    return isinstance(error, NeverAgain) or FUTURIST_NEVER_AGAIN in [(k.__module__, k.__qualname__) for k in kinds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a task is run."""

    spacing_s: float
    """Seconds from one run to the next; from which point of a run, the strategy says."""
    run_immediately: bool = False
    """Its first run comes at once, not after the spacing."""
    enabled: bool = True
    strategy: Strategy | None = None
    """None: as whoever runs it says."""
    jitter: float = DEFAULT_JITTER
    timeout_s: float | None = None
    """For each run: one that takes longer has failed, and the next comes once it has ended. None: there is no end."""
    not_before: Instant | None = None
    blocking: bool = True
    """It runs in a worker, or, written `async def`, on the loop. False: it returns at once whatever happens, and takes
    no worker; where it returns a `concurrent.futures.Future`, its run lasts until that has ended."""
    per: str = CONDUCTOR
    """"conductor", or "node": it runs for each node, on a timer of the node's own, with its NodeContext."""
    drivers: tuple[str, ...] | None = None
    """For nodes of these drivers only; None: of all, or of the driver whose method it is."""
    when: When | None = None
    """Asked before each run for a node, in the worker: False passes it over."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: a number is out of its range; the message names it.
        """
        if self.enabled and not self.spacing_s > 0:
            raise ValueError(f"spacing_s must be greater than zero instead of {self.spacing_s}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be from 0 to 1 instead of {self.jitter}: it is a share of the spacing")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be greater than zero instead of {self.timeout_s}")
        if is_coroutine_function(self.when):
            raise ValueError("when says at once whether a node is meant: it must not be `async def`")
        self._check_per()

    @property
    def is_per_node(self) -> bool:
        """Whether it runs for each node."""
        return self.per == NODE

    def _check_per(self) -> None:
        if self.per not in PER:
            raise ValueError(f"per must be one of {', '.join(PER)} instead of {self.per!r}")
        if self.per != NODE and (self.drivers is not None or self.when is not None):
            raise ValueError("drivers and when choose nodes: they go with per='node'")
        if self.per == NODE and self.strategy is not None and self.strategy.is_aligned:
            raise ValueError(f"strategy {self.strategy} would have all nodes at once; per='node' takes another")


def periodic(
    spacing_s: float,
    *,
    run_immediately: bool = False,
    enabled: bool = True,
    strategy: str | None = None,
    jitter: float = DEFAULT_JITTER,
    timeout_s: float | None = None,
    not_before: Instant | None = None,
    blocking: bool = True,
    per: str = CONDUCTOR,
    drivers: Iterable[str] | None = None,
    when: When | None = None,
) -> Callable[[Marked], Marked]:
    """Mark a function or method as a periodic task; it stays callable as it was.

    Args:
        spacing_s: seconds from one run to the next; greater than zero, unless it is not enabled.
        run_immediately: its first run comes at once, not after the spacing.
        enabled: False: it never runs.
        strategy: one of `Strategy`'s words; None: as whoever runs it says.
        jitter: share of the spacing, 0 to 1, that a strategy with jitter adds at most.
        timeout_s: for each run; one that takes longer has failed, and the next comes once it has ended.
        not_before: its first run does not come before it, as seconds since 1970-01-01 UTC.
        blocking: False: it returns at once whatever happens, and takes no worker; if it returns a
            `concurrent.futures.Future`, the run lasts until that has ended.
        per: "conductor": it runs once for all. "node": for each node, with the node's `NodeContext` as its argument.
        drivers: for nodes of these drivers only; None: of all, or of the driver whose method it is.
        when: asked with the node's context before each run; where it returns False, the node is passed over.

    Raises:
        ValueError: a number is out of its range, there is no such strategy, or terms do not go together; the message
            names what is wrong.
    """
    terms = Terms(
        spacing_s=spacing_s,
        run_immediately=run_immediately,
        enabled=enabled,
        strategy=None if strategy is None else strategy_of(strategy),
        jitter=jitter,
        timeout_s=timeout_s,
        not_before=not_before,
        blocking=blocking,
        per=per,
        drivers=None if drivers is None else tuple(drivers),
        when=when,
    )

    def mark(function: Marked) -> Marked:
        setattr(function, MARK, terms)
        return function

    return mark


def strategy_of(word: str) -> Strategy:
    """Return the strategy that a word names.

    Raises:
        ValueError: none has this name; the message lists them.
    """
    try:
        return Strategy(word)
    except ValueError:
        raise ValueError(f"Scheduling strategy {word!r} must be one of {', '.join(Strategy)}.") from None


def terms_of(call: object) -> Terms | None:
    """Return how a marked callable is to be run, by either kind of marks; None: it is not marked."""
    if not callable(call):
        return None
    terms = getattr(call, MARK, None)
    if isinstance(terms, Terms):
        return terms
    if not all(hasattr(call, mark) for mark in FUTURIST_MARKS):
        return None
    enabled, spacing_s, run_immediately = (getattr(call, mark) for mark in FUTURIST_MARKS)
    return Terms(spacing_s=spacing_s, run_immediately=bool(run_immediately), enabled=bool(enabled))


def is_periodic(call: object) -> bool:
    """Return whether something is marked as a periodic task, enabled or not."""
    return terms_of(call) is not None
