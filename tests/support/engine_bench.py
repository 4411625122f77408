"""The executor of a node's world: engines that answer a moment later, or hang, or say that they cannot say."""

from itertools import count

from castiron.actors.core.effects import AskExecutor
from castiron.actors.core.messages import Moved
from castiron.actors.core.state import Ticket
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Engine, Open
from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Instant

TURN_S = 0.001


class EngineBench:
    """Engines of one kind, made as they are needed."""

    def __init__(self) -> None:
        self.make: Open = BuiltInEngine
        self.is_lost = False
        """Every second question is not answered; the others are answered by a failure."""
        self.answers: dict[Ticket, tuple[Instant, Moved]] = {}
        """On their way to the node."""
        self._engines: dict[str, Engine] = {}
        self._turns = count()

    def ask(self, effect: AskExecutor, now: Instant) -> None:
        """Answer, as it happens to be."""
        turn = next(self._turns)
        if self.is_lost and turn % 2:
            return
        moved = Moved(ticket=effect.ticket, error=StepFailed("It cannot say.")) if self.is_lost else self._asked(effect)
        self.answers[effect.ticket] = (Instant(now + TURN_S), moved)

    def close(self) -> None:
        """Lose all engines, and what is on its way."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self.answers.clear()

    def _asked(self, effect: AskExecutor) -> Moved:
        if effect.key not in self._engines:
            self._engines[effect.key] = self.make(effect.key, effect.run)
        answer = self._engines[effect.key].moves(effect.run)
        return Moved(ticket=effect.ticket, moves=answer.moves, flow=answer.flow)
