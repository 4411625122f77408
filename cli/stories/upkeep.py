"""The second story: nobody asks for anything, and what fails is seen to.

A conductor with short intervals and little patience looks after six machines. One loses its power behind the
conductor's back, one's BMC restarts and forgets its session, one's BMC falls silent and comes back, and one's actor
meets a bug in the middle of a power action. The conductor runs in this process, so that a bug can be put into it; the
BMCs speak IPMI over UDP. What is told is read from the stream of events, as any subscriber would read it.
"""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import castiron
from castiron.cli.stories.narrator import Narrator, StoryBroken, check
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.stream import EventStream
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView
from castiron.transport.vocabulary import EventType, PowerState, PowerTarget, RequestState

if TYPE_CHECKING:
    from castiron.testing import BMCFarm, SimulatedBMC, Stumbling

BMCS: Final = 6
INTERVAL_S: Final = 0.5
"""From one look at a machine to the next; 25 s unless a conductor is told otherwise."""

PATIENCE_S: Final = 30.0
"""How long the story waits for anything."""


def tell_upkeep(narrator: Narrator) -> None:
    """Tell it from beginning to end.

    Raises:
        StoryBroken: a step did not hold.
    """
    from castiron.testing import BMCFarm, Stumbling, impatient_drivers, running_conductor  # noqa: PLC0415 - loaded when it is told

    narrator.begin("Nobody asks, and what fails is seen to")
    settings = castiron.Settings(
        sync_power_state_interval_s=INTERVAL_S,
        power_check_start_spread_s=INTERVAL_S,
        power_check_backoff_max_s=INTERVAL_S,
        power_failure_recovery_interval_s=INTERVAL_S,
        command_timeout_s=3.0,
    )
    bug = Stumbling(impatient_drivers)
    with (
        _quiet(),
        BMCFarm(bmcs=BMCS) as farm,
        running_conductor(settings=settings, drivers=bug.make) as conductor,
        conductor.client() as client,
        client.events(since=0, timeout_s=PATIENCE_S) as events,
    ):
        _Story(narrator, farm, client, events, bug).tell()


class _Story:
    """The story and its props."""

    def __init__(
        self, narrator: Narrator, farm: "BMCFarm", client: Client, events: EventStream, bug: "Stumbling"
    ) -> None:
        self._say = narrator.say
        self._note = narrator.note
        self._farm = farm
        self._client = client
        self._events = events
        self._bug = bug

    def tell(self) -> None:
        """Tell it from beginning to end."""
        self._enrol()
        self._pull_the_power("n1", self._farm[0])
        self._restart_the_bmc("n2", self._farm[1])
        self._silence_the_bmc("n3", self._farm[2])
        self._crash_the_actor("n4", self._farm[3])
        self._look_back("n3")

    def _enrol(self) -> None:
        self._say(f"{BMCS} machines are on, and made known. Nobody says so: the conductor looks, every {INTERVAL_S} s.")
        for number, bmc in enumerate(self._farm, start=1):
            bmc.power = PowerState.ON
            self._client.nodes.create(f"n{number}", driver_info=bmc.driver_info)
        seen = {self._hear(EventType.POWER_STATE_CORRECTED).node for _ in range(BMCS)}
        check(len(seen) == BMCS, "each machine was found to be on")
        self._note(f"{BMCS} times `node.power_state_corrected`, from unknown to power on")

    def _pull_the_power(self, node: str, bmc: "SimulatedBMC") -> None:
        self._say(f"Somebody pulls the power of {node}. castiron was not told.")
        pulled_at = time.monotonic()
        bmc.power = PowerState.OFF
        event = self._hear(EventType.POWER_STATE_CORRECTED, node)
        check(event.payload["power_state"] == "power off", "the event says power off")
        check(self._view_after(event).power_state == "power off", f"{node} is on record as off")
        check(bmc.control_count == 0, "and the machine was left alone")
        self._note(f"event {event.seq} says so, {time.monotonic() - pulled_at:.1f} s later; the machine is left alone")

    def _restart_the_bmc(self, node: str, bmc: "SimulatedBMC") -> None:
        self._say(f"The BMC of {node} restarts, and forgets its sessions.")
        logins, commands = bmc.login_count, bmc.command_count
        bmc.cold_reset()
        self._wait(lambda: bmc.command_count > commands + 1, f"{node} is looked at again")
        view = self._client.nodes.show(node)
        check((view.power_state, view.fault) == ("power on", None), f"{node} is fine")
        check(bmc.login_count == logins + 1, "it was logged in to once more")
        self._note(f"{node}: one more login, no event, no fault")

    def _silence_the_bmc(self, node: str, bmc: "SimulatedBMC") -> None:
        from castiron.testing import Faults  # noqa: PLC0415 - loaded when it is told

        self._say(f"The BMC of {node} falls silent.")
        bmc.set_faults(Faults(silent=True))
        fault = self._hear(EventType.NODE_FAULT_SET, node)
        view = self._view_after(fault)
        check(view.maintenance, f"{node} is in maintenance")
        check(view.power_state is None, "its power state is unknown")
        self._note(f"event {fault.seq}, fault `{view.fault}`: {view.maintenance_reason}")
        bmc.set_faults(Faults())
        cleared = self._hear(EventType.NODE_FAULT_CLEARED, node)
        view = self._view_after(cleared)
        check((view.maintenance, view.fault) == (False, None), f"{node} is out of maintenance")
        self._note(f"event {cleared.seq}: it answers again, and is taken back")

    def _crash_the_actor(self, node: str, bmc: "SimulatedBMC") -> None:
        self._say(f"A bug: the actor of {node} fails in the middle of a power off, with a request in its hands.")
        self._bug.stumble(self._client.nodes.show(node).uuid)
        restarts = self._client.status().actors["restarts"]
        request = self._client.nodes.power(node, PowerTarget.OFF).wait(PATIENCE_S)
        check(request.state is RequestState.SUCCEEDED, "the request is finished")
        check(request.view.attempts > 1, "by a successor of the actor that began it")
        check(self._client.status().actors["restarts"] == restarts + 1, "nobody else was restarted")
        check(bmc.power == "power off", "the machine is off")
        self._note(
            f"{node}: {request.state} on attempt {request.view.attempts}; one actor replaced, no neighbour noticed"
        )

    def _look_back(self, node: str) -> None:
        self._say(f"castiron node history {node}")
        history = list(reversed(self._client.nodes.history(node)))
        check([event.node_seq for event in history] == list(range(1, len(history) + 1)), "no event is missing")
        for event in history:
            self._note(f"{event.seq:3}  {event.type}")
        checks = self._client.status().checks
        looks = checks.agreed + checks.corrected + checks.failed
        late = "unknown" if checks.late_p50_ms is None else f"{checks.late_p50_ms:.1f} ms"
        self._note(f"{looks} checks; half of them began within {late} of their time")

    def _hear(self, type_: EventType, node: str | None = None) -> EventView:
        """Return the next event of a type, and of a node."""
        for event in self._events:
            if event.type == type_ and node in (None, event.node):
                return event
        raise StoryBroken(f"{type_} of {node or 'any node'} was not heard of within {PATIENCE_S:.0f} s")

    def _view_after(self, event: EventView) -> NodeView:
        """Return the event's node as it is once that event shows: whoever hears of it first may look too early."""
        until = time.monotonic() + PATIENCE_S
        while (snapshot := self._client.nodes.snapshot([str(event.node)])).seq < event.seq:
            check(time.monotonic() < until, f"event {event.seq} shows")
        return snapshot.nodes[0]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            check(time.monotonic() < until, what)
            self._client.ping()


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the conductor's log out of the story, which tells the same."""
    log = logging.getLogger("castiron")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
