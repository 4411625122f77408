"""Who works on the machines and calls back: with the token that it was given, in time, late, twice, or never.

An agent outlives conductors: what it could not say, or was not answered to, it says again. What it does is its fate.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.steps import StepContext
from castiron.testing.simulation.evidence import Question
from castiron.testing.simulation.plan import CALL_BACK_S
from castiron.testing.simulation.rollout.fates import Call, Calling, Fates
from castiron.testing.simulation.users import Users
from castiron.transport.errors import CapacityError, StoreUnavailable
from castiron.transport.events import EventView
from castiron.transport.replies import StepListed
from castiron.transport.verbs import AnyVerb, NodeStepDone, NodeStepList, NodeStepProgress
from castiron.transport.vocabulary import EventType, Instant

LOOK_S: Final = 1.0
"""After the beginning of a wait, until somebody looks what the token is."""

AGAIN_S: Final = 5.0
"""Until it is said again what nobody has answered."""

BEAT_S: Final = 0.75 * CALL_BACK_S
"""Between two signs of life."""

BEATS: Final = 3
"""So many, and whoever gives them is longer at work than it may be silent."""


class Called(NamedTuple):
    """One call: what for, and what was answered."""

    calling: Calling
    question: Question


class Insistence:
    """Asks until there is an answer: a conductor that is not there, or ends meanwhile, is asked again later.

    Args:
        users: by whom is asked.
    """

    def __init__(self, users: Users, clock: VirtualClock) -> None:
        self._users = users
        self._clock = clock

    def ask(self, verb: AnyVerb, then: "Then | None" = None) -> None:
        """Ask now, and hand over the question once it is answered."""
        self._look(verb, self._users.ask(verb), then)

    def at(self, after_s: float, verb: AnyVerb, then: "Then | None" = None) -> None:
        """Ask so many seconds from now."""
        self._later(after_s, partial(self.ask, verb, then))

    def _look(self, verb: AnyVerb, question: Question | None, then: "Then | None") -> None:
        if question is None or question.is_lost or isinstance(question.error, CapacityError | StoreUnavailable):
            self._later(AGAIN_S, partial(self.ask, verb, then))
        elif not question.told_count:
            self._later(AGAIN_S, partial(self._look, verb, question, then))
        elif then is not None:
            then(question)

    def _later(self, after_s: float, call: "partial[None]") -> None:
        self._clock.call_at(Instant(self._clock.now() + after_s), call)


Then = partial[None]


class Agents:
    """All of one simulation. One thread: the clock's.

    Attributes:
        called: the calls that were answered.
    """

    def __init__(self, fates: Fates, users: Users, clock: VirtualClock) -> None:
        self.called: list[Called] = []
        self._fates = fates
        self._insistence = Insistence(users, clock)
        self._tokens: dict[str, str] = {}
        """Node → a token of it, the first."""

    def notice(self, happened: Sequence[EventView]) -> None:
        """Look at what is published: who waits for somebody gets somebody."""
        for event in happened:
            if event.type == EventType.STEP_START and event.payload["step"] == "wait":
                name, node = str(event.payload["name"]), str(event.node)
                self._insistence.at(LOOK_S, NodeStepList(node=node), partial(self._look, node, name))

    def left_to(self, context: StepContext, part: int) -> None:
        """Take over a step that only set something going."""
        self._work(context.node, f"part {part}", context.attempt, context.token)

    def _look(self, node: str, name: str, question: Question) -> None:
        for listed in question.results:
            for one in listed.steps if isinstance(listed, StepListed) else ():
                if one.name == name and one.token is not None:
                    self._work(node, name, one.attempts, one.token)

    def _work(self, node: str, name: str, attempt: int, token: str) -> None:
        self._tokens.setdefault(node, token)
        call = self._fates.of_call(node, name, attempt)
        done = NodeStepDone(node=node, token=token, result={"by": name})
        match call.calling:
            case Calling.NEVER:
                return
            case Calling.IN_TIME:
                self._say(call, done)
            case Calling.FAILED:
                self._say(call, NodeStepDone(node=node, token=token, error="no disk is large enough"))
            case Calling.TWICE:
                self._say(call, done)
                self._say(call, done)
            case Calling.LATE:
                self._say(call._replace(seconds=CALL_BACK_S + call.seconds), done)
            case Calling.SLOWLY:
                for beat in range(1, BEATS + 1):
                    sign = NodeStepProgress(node=node, token=token, progress={"beat": beat})
                    self._say(call._replace(seconds=beat * BEAT_S), sign)
                self._say(call._replace(seconds=BEATS * BEAT_S + call.seconds), done)
            case Calling.FALSELY:
                others = next((other for whose, other in self._tokens.items() if whose != node), "none")
                self._say(call._replace(seconds=call.seconds / 2), NodeStepDone(node=node, token=others))
                self._say(call, done)

    def _say(self, call: Call, verb: AnyVerb) -> None:
        self._insistence.at(call.seconds, verb, partial(self._note, call.calling))

    def _note(self, calling: Calling, question: Question) -> None:
        self.called.append(Called(calling, question))
