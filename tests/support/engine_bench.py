"""The executor of a node's world: engines that answer a moment later, or hang, or say that they cannot say.

There are fewer engines than nodes: one that was lent comes back when others let it.
"""

from itertools import count

from castiron.actors.core.effects import AskExecutor, LendEngine, RetakeEngine
from castiron.actors.core.messages import EngineGranted, Moved
from castiron.actors.core.provision.run import Run
from castiron.actors.core.state import Active, Ticket
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Engine, Open
from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Instant

TURN_S = 0.001
LENT_S = (0.0, 0.002, 40.0)
"""How long others keep an engine, one after another: also for longer than an answer may take."""

FOR_IT = (AskExecutor, LendEngine, RetakeEngine)
"""The effects that it carries out."""


def check_going(active: Active, run: Run) -> None:
    """Check that somebody will go on with a list."""
    going = (run.is_held, active.lanes, active.turn, active.engine_wish)
    assert any(going), "nobody will ever go on with it"
    assert active.engine_wish is None or active.is_parked
    assert active.turn is None or not active.is_parked, "an engine that was lent is asked"


class EngineBench:
    """Engines of one kind, made as they are needed."""

    def __init__(self) -> None:
        self.make: Open = BuiltInEngine
        self.is_lost = False
        """Every second question is not answered; the others are answered by a failure."""
        self.has_place = False
        """The node holds one of the engines' places."""
        self.wish: Ticket | None = None
        self.answers: dict[Ticket, tuple[Instant, Moved | EngineGranted]] = {}
        """On their way to the node."""
        self._engines: dict[str, Engine] = {}
        self._turns = count()

    def begin(self, *, has_place: bool) -> None:
        """Take note of what the node's permit counts for."""
        self.has_place, self.wish = has_place, None

    def carry_out(self, effect: AskExecutor | LendEngine | RetakeEngine, now: Instant) -> None:
        """Answer, or take an engine back, or lend it again in a while."""
        if isinstance(effect, AskExecutor):
            return self._ask(effect, now)
        if isinstance(effect, RetakeEngine):
            assert not self.has_place, "it has one"
            assert self.wish is None, "it stands in line"
            self.wish = effect.ticket
            lent_until = Instant(now + LENT_S[next(self._turns) % len(LENT_S)])
            self.answers[effect.ticket] = (lent_until, EngineGranted(ticket=effect.ticket))
            return None
        self.has_place, self.wish = False, None  # a grant that is on its way still comes
        return self._lose()

    def arrive(self, ticket: Ticket) -> Moved | EngineGranted:
        """Return what the node is about to hear."""
        _, message = self.answers.pop(ticket)
        if isinstance(message, EngineGranted) and ticket == self.wish:
            self.has_place, self.wish = True, None
        return message

    def _ask(self, effect: AskExecutor, now: Instant) -> None:
        assert self.has_place, "asked without a place"
        turn = next(self._turns)
        if self.is_lost and turn % 2:
            return
        moved = Moved(ticket=effect.ticket, error=StepFailed("It cannot say.")) if self.is_lost else self._asked(effect)
        self.answers[effect.ticket] = (Instant(now + TURN_S), moved)

    def close(self) -> None:
        """Lose all engines, their places, and what is on its way."""
        self._lose()
        self.begin(has_place=False)
        self.answers.clear()

    def _lose(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _asked(self, effect: AskExecutor) -> Moved:
        if effect.key not in self._engines:
            self._engines[effect.key] = self.make(effect.key, effect.run)
        answer = self._engines[effect.key].moves(effect.run)
        return Moved(ticket=effect.ticket, moves=answer.moves, flow=answer.flow)
