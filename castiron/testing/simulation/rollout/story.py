"""The story of a rollout: all machines are enrolled, and then deployed at once, each with a list of its own.

Some are held, unheld, aborted and asked for twice meanwhile, and a few steps end the conductor. What is drawn depends
on the seed and the machine alone.
"""

from functools import partial
from random import Random
from typing import Any, Final

from castiron.testing.simulation.evidence import Evidence, Question
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.plan import MINUTE_S
from castiron.testing.simulation.rollout.agents import Agents, Insistence
from castiron.testing.simulation.rollout.crew import INTERFACE, name_of
from castiron.testing.simulation.rollout.fates import Fates
from castiron.testing.simulation.simulation import Simulation
from castiron.testing.simulation.users import create
from castiron.transport.verbs import (
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionSet,
    NodeProvisionUnhold,
    RequestAbort,
    StepWish,
)
from castiron.transport.vocabulary import EngineMode, Policy, ProvisionTarget

STEPS: Final = 10
"""Of each machine."""

MAX_TURNS_LEFT: Final = 2_000
"""The conductor ends within so many turns of the step that ends it: in the middle of whatever it does then."""

DOWN_S: Final = (0.1, 60.0)
PATIENCE_S: Final = 6 * 3600.0
"""All has ended long before: ten steps, each with its time, tried twice."""

ORDER_S: Final = (1.0, 300.0)
"""When somebody says something about a list that is under way, after its beginning."""

QUICKLY: Final = [StepWish(step="wait", args={"seconds": 0.0})]


class Rollout:
    """See the module. `run` once.

    Args:
        simulation: nothing has happened in it yet.

    Attributes:
        agents: who calls back.
        lists: node → what it is asked to do.
        ordered: nodes about whose lists somebody says something.
    """

    def __init__(self, simulation: Simulation) -> None:
        plan = self._plan = simulation.plan
        self._simulation = simulation
        self._insistence = Insistence(simulation.users, simulation.clock)
        self.agents = Agents(Fates(plan.seed, plan.trouble_percent), simulation.users, simulation.clock)
        self.lists = {machine.name: _deploy(machine, plan.rng(f"list {machine.name}")) for machine in self._machines}
        self.ordered: dict[str, str] = {}
        self._killers = self._draw_killers()
        simulation.crew.left_to = self.agents.left_to
        simulation.crew.before = self._before
        simulation.noticed_by = self.agents.notice

    @property
    def _machines(self) -> list[Machine]:
        return self._simulation.machines

    def run(self) -> Evidence:
        """Enrol all machines, deploy them, wait for the last; return the evidence."""
        simulation = self._simulation
        for machine in self._machines:
            simulation.users.ask(create(machine))
        simulation.live(MINUTE_S)
        for target in (ProvisionTarget.MANAGE, ProvisionTarget.PROVIDE):
            for machine in self._machines:
                simulation.users.ask(NodeProvisionSet(node=machine.name, target=target, steps=QUICKLY))
            simulation.live(MINUTE_S)
        for machine in self._machines:
            self._insistence.ask(self.lists[machine.name])
            self._say_something(machine.name, self._plan.rng(f"orders {machine.name}"))
        return self._see_it_end()

    def _see_it_end(self) -> Evidence:
        simulation, until = self._simulation, self._simulation.clock.now() + PATIENCE_S
        simulation.live(10 * MINUTE_S)
        while simulation.clock.now() < until and self._is_open():
            simulation.live(10 * MINUTE_S)
        return simulation.gather()

    def _is_open(self) -> bool:
        house = self._simulation.house
        return house is None or house.services.board.open_count() > 0

    def _say_something(self, node: str, rng: Random) -> None:
        """Draw whether somebody says something about a list, and what."""
        luck, at_s = 100 * rng.random(), rng.uniform(*ORDER_S)
        if luck >= self._plan.orders_percent:
            return
        what = rng.choice(("abort", "abort the request", "hold", "ask again"))
        self.ordered[node] = what
        match what:
            case "abort":
                self._insistence.at(at_s, NodeProvisionAbort(node=node))
            case "abort the request":
                self._insistence.at(at_s, self.lists[node], partial(self._abort, rng.uniform(0.0, 10.0)))
            case "hold":
                self._insistence.at(at_s, NodeProvisionHold(node=node))
                self._insistence.at(at_s + rng.uniform(0.0, 600.0), NodeProvisionUnhold(node=node))
            case _:
                policy = rng.choice([Policy.STRICT, Policy.AFTER])
                again = NodeProvisionSet(node=node, target=ProvisionTarget.DEPLOY, steps=QUICKLY, policy=policy)
                self._insistence.at(at_s, again)

    def _abort(self, after_s: float, question: Question) -> None:
        """Abort the request that was asked for with the same key before: its id is in the answer."""
        if question.accepted_id is not None:
            self._insistence.at(after_s, RequestAbort(request=question.accepted_id, force=True))

    def _draw_killers(self) -> dict[tuple[str, int], Random]:
        rng = self._plan.rng("killers")
        steps = [
            (node, part)
            for node, verb in self.lists.items()
            for part, wish in enumerate(verb.steps or ())
            if wish.interface == INTERFACE
        ]
        drawn = rng.sample(steps, min(len(steps), self._plan.kills))
        return {place: self._plan.rng(f"kill {number}") for number, place in enumerate(drawn)}

    def _before(self, node: str, part: int) -> None:
        """End the conductor with a step, if that is what it does. Once."""
        rng = self._killers.pop((node, part), None)
        if rng is not None:
            self._simulation.kill(rng.randrange(MAX_TURNS_LEFT), rng.uniform(*DOWN_S))


def _deploy(machine: Machine, rng: Random) -> NodeProvisionSet:
    return NodeProvisionSet(
        node=machine.name,
        target=ProvisionTarget.DEPLOY,
        steps=[_wish(part, rng) for part in range(STEPS)],
        engine_mode=rng.choice(list(EngineMode)),
        key=f"rollout-{machine.name}",
    )


def _wish(part: int, rng: Random) -> StepWish:
    (kind,) = rng.choices(list(_KINDS), weights=[weight for weight, _, _ in _KINDS.values()])
    _, interface, args = _KINDS[kind]
    told: dict[str, Any] = dict(args)
    if interface == INTERFACE:
        told["part"] = part
    if kind == "pause":
        told["seconds"] = round(rng.uniform(0.0, 30.0), 3)
    is_aside = interface == INTERFACE and rng.random() < 0.5  # noqa: PLR2004 - half of those that harm no other
    return StepWish(
        name=name_of(kind, part),
        step="wait" if kind == "pause" else kind,
        interface=interface,
        args=told,
        retries=rng.choice([0, 1]),
        retry_delay_s=5.0,
        after=[] if is_aside else None,
    )


_KINDS: Final[dict[str, tuple[int, str | None, dict[str, Any]]]] = {
    "write": (20, INTERFACE, {}),
    "burn": (5, INTERFACE, {}),
    "sign": (20, INTERFACE, {}),
    "hand_over": (10, INTERFACE, {}),
    "wait": (10, None, {}),
    "pause": (10, None, {}),
    "check_bmc": (10, "management", {}),
    "set_boot_device": (5, "management", {"boot_device": "pxe"}),
    "power_on": (5, None, {}),
    "reboot": (5, None, {}),
}
"""Kind of step → how often, its interface, its arguments."""
