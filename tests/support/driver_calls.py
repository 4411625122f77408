"""Calls to a driver, from a test's point of view: submit, wait for the one outcome, never for longer than WAIT_S."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, Done, Driver, NotDone, Operation, Outcome, Target, Value
from castiron.transport.vocabulary import Instant, NodeUUID

WAIT_S: Final = 20.0
"""Longer than any deadline that a test gives; only a failure waits for so long."""


class Ticket:
    """A submitted call. Remembers every outcome it is told, so that a second one shows."""

    def __init__(self, log: Callable[["Ticket"], None]) -> None:
        self.outcomes: list[Outcome] = []
        self._told = threading.Event()
        self._log = log

    def done(self, outcome: Outcome) -> None:
        """Take an outcome, on the driver's thread."""
        self.outcomes.append(outcome)
        self._log(self)
        self._told.set()

    def outcome(self) -> Outcome:
        """Wait for the outcome."""
        assert self._told.wait(WAIT_S), "no outcome"
        return self.outcomes[0]

    def value(self) -> Value:
        """Wait for success."""
        outcome = self.outcome()
        assert isinstance(outcome, Done), outcome
        return outcome.value

    def failure(self) -> NotDone:
        """Wait for failure."""
        outcome = self.outcome()
        assert isinstance(outcome, NotDone), outcome
        return outcome


class Caller:
    """Submits calls to one driver. `ended` has the tickets in the order of their outcomes."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self.driver = driver
        self.ended: list[Ticket] = []
        self._clock = clock

    def target(self, driver_info: Mapping[str, Any], node: str = "node", generation: int = 1) -> Target:
        """Make a target of driver_info, as whoever owns a node does."""
        info = self.driver.check(driver_info).info
        return Target(node=NodeUUID(node), generation=generation, info=info)

    def submit(self, target: Target, operation: Operation, deadline_s: float = 15.0) -> Ticket:
        """Submit a call whose deadline is so many seconds from now."""
        ticket = Ticket(self.ended.append)
        deadline = Instant(self._clock.now() + deadline_s)
        self.driver.submit(Call(target=target, operation=operation, deadline=deadline), ticket.done)
        return ticket
