"""Users: they wish for something about some node, at random, and hear what becomes of it.

Verbs go in where a front door hands them in, and answers come out where it takes them. What is drawn never depends on
what was answered, so that a seed draws the same wishes whatever the conductor does.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.testing.simulation.evidence import Question
from castiron.testing.simulation.house import House
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.plan import HOUR_S
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.verbs import (
    AnyVerb,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeCreate,
    NodeDelete,
    NodeHistory,
    NodeList,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    NodeSet,
    NodeShow,
    RequestList,
)
from castiron.transport.vocabulary import Instant, PowerTarget, ReplyWish

PATIENCE_S: Final = HOUR_S / 2
"""No answer takes longer: a shutdown has ten minutes, and a power action that follows it one."""

HURRY_PERCENT: Final = 20
"""So many wishes are followed by another one about the same machine, while the first may still be under way."""

HURRY_S: Final = (-3, 1)
"""From the one to the other: between these powers of ten, so that each part of a request's life is met."""

Wish = Callable[[Random, Machine], AnyVerb]


def _node(rng: Random, machine: Machine) -> str:
    """Return what a node may be called: mostly its first name, sometimes the one that it may have been given."""
    return machine.name if rng.random() < 0.9 else _other_name(machine)  # noqa: PLR2004 - mostly


def _other_name(machine: Machine) -> str:
    return f"{machine.name}-renamed"


def _power(rng: Random, machine: Machine) -> AnyVerb:
    return NodePowerSet(
        node=_node(rng, machine),
        target=rng.choice(list(PowerTarget)),
        hard_fallback=rng.random() < 0.3,  # noqa: PLR2004 - now and then
        replies=rng.choice(list(ReplyWish)),
    )


def _set_boot_device(rng: Random, machine: Machine) -> AnyVerb:
    return NodeBootDeviceSet(node=_node(rng, machine), boot_device=rng.choice(["pxe", "disk"]), replies=ReplyWish.FINAL)


def _rename(rng: Random, machine: Machine) -> AnyVerb:
    first, other = machine.name, _other_name(machine)
    return NodeSet(node=first, name=other) if rng.random() < 0.2 else NodeSet(node=other, name=first)  # noqa: PLR2004


def create(machine: Machine) -> NodeCreate:
    """Return what makes a machine's node known."""
    return NodeCreate(name=machine.name, driver=machine.driver, driver_info=machine.driver_info)


WISHES: Final[Sequence[tuple[int, Wish]]] = (
    (60, _power),
    (8, _set_boot_device),
    (6, lambda rng, machine: NodeBootDeviceGet(node=_node(rng, machine))),
    (5, lambda rng, machine: NodeSet(node=_node(rng, machine), extra={"note": rng.randrange(100)})),
    (3, _rename),
    (2, lambda rng, machine: NodeMaintenanceSet(node=_node(rng, machine), reason=rng.choice([None, "fan", "moving"]))),
    (8, lambda rng, machine: NodeMaintenanceUnset(node=_node(rng, machine))),
    (1, lambda rng, machine: NodeDelete(node=_node(rng, machine))),
    (2, lambda rng, machine: NodeDelete(node=_node(rng, machine), force=True)),
    (16, lambda _, machine: create(machine)),
    (6, lambda rng, machine: NodeShow(node=_node(rng, machine))),
    (2, lambda _, machine: NodeList(marker=machine.name, limit=10)),
    (3, lambda rng, machine: NodeHistory(node=_node(rng, machine), limit=10)),
    (3, lambda rng, machine: RequestList(node=_node(rng, machine), limit=10)),
)
"""How often, and what. More is unset and created than set and deleted: most machines have a node that is in use."""


class Users:
    """All users of one simulation. One thread: the clock's.

    Attributes:
        questions: all that was asked, and what was answered.
    """

    def __init__(
        self, rng: Random, clock: VirtualClock, machines: Sequence[Machine], house: Callable[[], House | None]
    ) -> None:
        """Prepare them.

        Args:
            house: who is there to be asked, if anybody is.
        """
        self.questions: list[Question] = []
        self._rng = rng
        self._clock = clock
        self._machines = machines
        self._house = house

    def ask(self, verb: AnyVerb) -> Question | None:
        """Ask now; return what becomes of it, None if nobody is there to be asked."""
        house = self._house()
        if house is None:
            return None
        question = Question(f"user-{len(self.questions) + 1}", verb, self._clock.now())
        self.questions.append(question)
        house.reception.handle(verb, PeerInfo(question.requester, "simulation"), question)
        return question

    def come(self, mean_s: float, until: float) -> None:
        """Ask from now on, on the average after so many seconds for each node, until an instant."""
        at = self._clock.now() + self._rng.expovariate(len(self._machines) / mean_s)
        if at < until:
            self._clock.call_at(Instant(at), lambda: self._wish(mean_s, until))

    def lose(self) -> None:
        """Hear no more of what has not been answered yet: the conductor is gone.

        What was asked longer than PATIENCE_S ago should have been answered long since, and is not excused.
        """
        since = self._clock.now() - PATIENCE_S
        for question in self.questions:
            if not question.told_count and question.asked_at >= since:
                question.is_lost = True

    def _wish(self, mean_s: float, until: float) -> None:
        self._wish_about(self._rng.choice(self._machines))
        self.come(mean_s, until)

    def _wish_about(self, machine: Machine) -> None:
        rng = self._rng
        (wish,) = rng.choices([wish for _, wish in WISHES], [weight for weight, _ in WISHES])
        self.ask(wish(rng, machine))
        if rng.random() < HURRY_PERCENT / 100:
            at = self._clock.now() + 10 ** rng.uniform(*HURRY_S)
            self._clock.call_at(Instant(at), lambda: self._wish_about(machine))
