"""Users: they wish for something about some node, at random, and hear what becomes of it.

Verbs go in where a front door hands them in, and answers come out where it takes them. What is drawn never depends on
what was answered, so that a seed draws the same wishes whatever the conductor does.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from msgspec import structs

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
    NodeRequest,
    NodeSet,
    NodeShow,
    RequestAbort,
    RequestCancel,
    RequestList,
)
from castiron.transport.vocabulary import Instant, OnRestart, Policy, PowerTarget, ReplyWish

REGRET_PERCENT: Final = 20
"""After so many wishes a request is taken back, or asked for again with its key: one of the latest, whoever's it is."""

LATEST: Final = 5
"""Questions that may be meant."""

LONGEST_DEADLINE_S: Final = 600.0
"""For what may wait for others to start: so that nobody waits for longer than PATIENCE_S."""

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
        self._keys = 0
        self._rng = rng
        self._clock = clock
        self._machines = machines
        self._house = house

    def ask(self, verb: AnyVerb, who: str | None = None) -> Question | None:
        """Ask now; return what becomes of it, None if nobody is there to be asked.

        Args:
            who: asks; None: somebody who has never asked before, so that what is left behind shows whose it is.
        """
        house = self._house()
        if house is None:
            return None
        question = Question(who or f"user-{len(self.questions) + 1}", verb, self._clock.now())
        self.questions.append(question)
        house.reception.handle(verb, PeerInfo(question.requester, "simulation"), question)
        return question

    def come(self, mean_s: float, until: float) -> None:
        """Ask from now on, on the average after so many seconds for each node, until an instant."""
        at = self._clock.now() + self._rng.expovariate(len(self._machines) / mean_s)
        if at < until:
            self._clock.call_at(Instant(at), lambda: self._wish(mean_s, until))

    def _on_terms(self, verb: NodeRequest) -> AnyVerb:
        """Draw how a request is to be treated. What may wait has a deadline, so it does not wait for ever."""
        rng = self._rng
        policy = rng.choice([Policy.STRICT, Policy.STRICT, Policy.AFTER, Policy.SUPERSEDE])
        hold = rng.random() < 0.15  # noqa: PLR2004 - now and then
        waits_s = rng.uniform(1.0, LONGEST_DEADLINE_S)
        self._keys += 1
        terms = {
            "policy": policy,
            "hold": hold,
            "fresh": rng.random() < 0.1,  # noqa: PLR2004 - as above
            "again": rng.random() < 0.1,  # noqa: PLR2004 - as above
            "on_restart": rng.choice([OnRestart.RESUME, OnRestart.RESUME, OnRestart.FAIL]),
            "deadline_at": self._clock.now() + waits_s if hold or policy is not Policy.STRICT else None,
            "key": f"simulated-{self._keys}" if rng.random() < 0.5 else None,  # noqa: PLR2004 - half of them
        }
        on_terms: AnyVerb = structs.replace(verb, **terms)  # type: ignore[assignment]  # of the same class
        return on_terms

    def _regret(self) -> None:
        """Take one of the latest requests back, or ask for it again. What is drawn depends on no answer."""
        rng, latest = self._rng, self.questions[-LATEST:]
        meant = rng.choice(latest)
        what, force = rng.choice([RequestCancel, RequestAbort, None]), rng.random() < 0.7  # noqa: PLR2004 - mostly
        if what is not None:
            self.ask(what(request=meant.accepted_id or "nobody's", force=force))
        elif isinstance(meant.verb, NodeRequest) and meant.verb.key is not None:
            self.ask(meant.verb)

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
        verb = wish(rng, machine)
        self.ask(self._on_terms(verb) if isinstance(verb, NodeRequest) else verb)
        if rng.random() < REGRET_PERCENT / 100:
            self._clock.call_at(Instant(self._clock.now() + 10 ** rng.uniform(*HURRY_S)), self._regret)
        if rng.random() < HURRY_PERCENT / 100:
            at = self._clock.now() + 10 ** rng.uniform(*HURRY_S)
            self._clock.call_at(Instant(at), lambda: self._wish_about(machine))
