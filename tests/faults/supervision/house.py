"""A conductor whose driver is a plug-in with bugs, and what tests do to it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from castiron.actors.conductor import Conductor
from castiron.actors.drivers.base import Call, GetPower
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, ConductorOverloaded
from tests.support.conductor_plugin import BuggyDriver, Plugin
from tests.support.conductor_process import Audit, opened

REPLACED_S = 2.0
"""What the design promises."""

QUICK = Settings(
    hung_turn_s=0.3,
    restart_delay_initial_s=0.02,
    restart_delay_max_s=0.1,
    graceful_shutdown_timeout_s=2.0,
    unknown_outcome_settle_s=0.2,
)


class House:
    """A conductor with a plug-in driver, three nodes, and its store."""

    def __init__(self, folder: Path) -> None:
        self.plugin = Plugin()
        self.path = folder / "castiron.db"
        self.uuids: list[str] = []
        self._stack = ExitStack()

    def open(self, settings: Settings = QUICK) -> Client:
        self.conductor: Conductor = self._stack.enter_context(
            running_conductor(store=self.path, settings=settings, drivers=self.plugin.make)
        )
        self.client = self._stack.enter_context(self.conductor.client(timeout_s=10.0))
        return self.client

    def with_nodes(self, settings: Settings = QUICK) -> Client:
        client = self.open(settings)
        self.uuids = [client.nodes.create(name, driver="fake").uuid for name in ("n1", "n2", "n3")]
        return client

    def close(self) -> None:
        self._stack.close()

    @property
    def driver(self) -> BuggyDriver:
        return self.plugin.driver

    def controls(self, node: int) -> list[str]:
        return [control.value for control in self.driver.bmc(self.uuids[node]).controls]

    def audit(self) -> Audit:
        audit = self.audit_numbers()
        audit.check()
        return audit

    def audit_numbers(self) -> Audit:
        """Close the house, and check what holds also where steps have been worked through."""
        self.close()
        with opened(self.path) as store:
            audit = Audit(store)
        audit.check_numbers()
        return audit


def fail(call: Call) -> None:
    raise RuntimeError(f"a bug at {type(call.operation).__name__}")


def exit_process(call: Call) -> None:
    raise SystemExit(f"a plug-in that calls sys.exit at {type(call.operation).__name__}")


class Snare:
    """A call in it does not come back until it is opened."""

    def __init__(self, at: type) -> None:
        self._at = at
        self._opened = threading.Event()
        self.caught = threading.Event()
        self.left = threading.Event()

    def __call__(self, call: Call) -> None:
        if isinstance(call.operation, self._at) and not self.caught.is_set():
            self.caught.set()
            self._opened.wait(30)
            self.left.set()

    def open(self) -> None:
        self._opened.set()


class Asking:
    """How often each node's power state was read."""

    def __init__(self, house: House) -> None:
        self._house = house

    def count(self, node: int) -> int:
        calls = list(self._house.driver.calls)
        uuid = self._house.uuids[node]
        return sum(call.target.node == uuid and isinstance(call.operation, GetPower) for call in calls)


def insist(verb: Callable[[], object]) -> str:
    """Ask again for as long as the conductor says that it is being mended."""
    pause = threading.Event()
    for _ in range(200):
        try:
            verb()
        except ConductorOverloaded as error:
            pause.wait(min(error.retry_after_s or 0.01, 0.01))
        except CastironError as error:
            return f"{type(error).__name__}: {error}"
        else:
            return "ok"
    return "never"
