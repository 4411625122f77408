"""Questions to an executor: which step is next, asked only when the answer may have changed. Pure.

An executor is told where each step of the list stands, and says what is to be done now, as `Run.moves` does for the
built-in one. It may be late, dead, or wrong: its answer counts only for the latest question, a move that cannot be made
is its failure, and a list whose executor has failed is taken back by the built-in rules.
"""

from typing import Final, assert_never

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AskExecutor, CancelTimer, LendEngine, RetakeEngine, SetTimer
from castiron.actors.core.machines.pause import PauseAction
from castiron.actors.core.messages import Moved
from castiron.actors.core.provision.run import UNDER_WAY, Begin, Finish, Move, Progress, Revert, Run, Stop
from castiron.actors.core.state import Active, Lane
from castiron.actors.settings import Settings
from castiron.store.records.copying import replace
from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Instant, StepState, TaskExecutor

PATIENCE_S: Final = 30.0
"""For an answer, which takes milliseconds: longer, and the executor has lost the question."""

LENT_FROM_S: Final = 5.0
"""A pause that is shorter keeps the engine: to make one anew takes milliseconds, and the line for one may be long."""


def is_asked(active: Active, settings: Settings) -> bool:
    """Return whether somebody else says which step of a list is next."""
    return settings.task_executor != TaskExecutor.BUILTIN and not active.is_unaided


def own_moves(active: Active, run: Run, settings: Settings) -> tuple[Move, ...]:
    """Return the moves that nobody else is asked for: all of the built-in executor's, and that a parked list stops."""
    if not is_asked(active, settings):
        return run.moves()
    return run.moves() if active.is_parked and run.is_to_hold else ()


def ask(draft: Draft, active: Active, run: Run) -> Active:
    """Ask what is to be done next, if that may have changed since the decision began.

    A parked list first stands in line for an engine; for one that only is to stop, nobody need be asked.
    """
    before = draft.state.active
    then = before.action if before is not None and isinstance(before.action, Run) else None
    if not is_news(then, run):
        return active
    if not active.is_parked:
        return _ask(draft, active, run)
    if active.engine_wish is not None or run.is_to_hold:
        return active
    wish = draft.ticket()
    draft.order(RetakeEngine(wish))
    return replace(active, engine_wish=wish)


def park(draft: Draft, active: Active, run: Run) -> Active:
    """Lend the engine to others while nothing is to be decided: the list is held, or all its steps wait.

    How long that lasts is up to somebody else, or to the clock. Its next engine is made from where the list stands.
    """
    is_wanted = active.turn is not None or (active.engine_wish is not None and not run.is_held)
    if is_wanted or (active.is_parked and active.engine_wish is None) or not _rests(draft, active, run):
        return active
    draft.order(LendEngine())
    return replace(active, is_parked=True, engine_wish=None)


def unparked(draft: Draft, active: Active, run: Run) -> Active:
    """Ask for a list that has an engine again."""
    return _ask(draft, replace(active, is_parked=False, engine_wish=None), run)


def without_engine(draft: Draft, active: Active, run: Run) -> Active:
    """Have a parked list that goes back do so by the built-in rules: that waits for nobody.

    However many are given up at the same time, and however many engines there are.
    """
    if not active.is_parked or active.is_unaided or run.failure is None:
        return active
    return _unaided(draft, active)


def _unaided(draft: Draft, active: Active) -> Active:
    draft.order(LendEngine())
    return replace(active, is_unaided=True, is_parked=True, engine_wish=None)


def _ask(draft: Draft, active: Active, run: Run) -> Active:
    if active.turn is not None:
        draft.order(CancelTimer(active.turn))
    ticket = draft.ticket()
    until = Instant(draft.now + PATIENCE_S)
    draft.order(AskExecutor(ticket, f"{active.request.id}/{run.stage}", run), SetTimer(ticket, until))
    return replace(active, turn=ticket)


def is_news(then: Run | None, run: Run) -> bool:
    """Return whether a list stands so that something else may be next than a moment ago."""
    if run.failure is None and run.is_held:
        return False
    if then is None or len(then.steps) != len(run.steps):
        return True
    if (then.failure is None, then.is_to_hold, then.is_held) != (run.failure is None, run.is_to_hold, run.is_held):
        return True
    return any(
        not _is_on_its_way(now) and _word(old) != _word(now) for old, now in zip(then.steps, run.steps, strict=True)
    )


def answered(draft: Draft, active: Active, run: Run, message: Moved) -> tuple[Active, tuple[Move, ...]]:
    """Take an answer in: return the list with it, and the moves to be made; none if the executor has failed."""
    draft.order(CancelTimer(message.ticket))
    active = replace(active, turn=None)
    wrong = next((one for one in message.moves if not can_be_made(run, one)), None)
    error = message.error
    if error is None and wrong is not None:
        error = StepFailed(f"The executor wants {wrong}, which cannot be done where the list stands.")
    if error is None:
        return replace(active, action=replace(run, flow=message.flow)), message.moves
    error.details.setdefault("node", draft.state.record.name)
    run = replace(run, failure=run.failure or error.to_wire(), is_to_hold=False, is_held=False)
    return _unaided(draft, replace(active, action=run)), ()


def can_be_made(run: Run, move: Move) -> bool:
    """Return whether a move can be made where the list stands, whoever wants it."""
    is_free = run.failure is None and not run.is_held
    match move:
        case Begin(place=place):
            one = run.steps[place] if place < len(run.steps) else None
            return is_free and one is not None and one.state is StepState.PENDING and one.retry_at is None
        case Revert(place=place):
            return run.failure is not None and not run.is_busy and run.is_to_revert(place)
        case Stop():
            return is_free and run.is_to_hold and not run.is_busy
        case Finish():
            is_done = all(one.state is StepState.SUCCESS for one in run.steps)
            return not run.is_busy and (run.failure is not None or (is_free and is_done))
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(move)


def _rests(draft: Draft, active: Active, run: Run) -> bool:
    return run.is_held or (bool(active.lanes) and all(_waits(draft, run, lane) for lane in active.lanes))


def _waits(draft: Draft, run: Run, lane: Lane) -> bool:
    if isinstance(lane.action, PauseAction):
        return lane.action.until - draft.now > LENT_FROM_S
    return run.steps[lane.place].state is StepState.WAITING


def _is_on_its_way(one: Progress) -> bool:
    return one.state in UNDER_WAY or one.retry_at is not None


def _word(one: Progress) -> tuple[StepState, bool]:
    return one.state, one.retry_at is not None
