"""An engine of TaskFlow's for one list of steps, moved on a turn at a time.

TaskFlow decides: which atoms may begin, and which are to be reverted. Its engine hands them to `_Offers`, which stands
where a pool of threads would and runs nothing: an atom that was handed over is an offer, and a move for the node's
actor. When the step has ended, and that is on disk, the next turn tells TaskFlow. Between two turns the engine is
parked before its wait, as `run_iter` lets it be: no thread waits for a step.

TaskFlow has no word for a step that is tried again, held before, or taken back one by one; those rules are here.
"""

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, Final
from weakref import finalize

from castiron.actors.core.provision.run import UNDER_WAY, Begin, Finish, Move, Revert, Run, Stop
from castiron.actors.executors.executor import Answer
from castiron.actors.executors.taskflow.flows import StepAtom, StepUndone
from castiron.actors.executors.taskflow.library import REVERTED, REVERTING, WAITING, load_from_detail
from castiron.actors.executors.taskflow.pages import opened
from castiron.transport.vocabulary import StepState

NOT_OVER: Final = frozenset({StepState.PENDING, *UNDER_WAY})


class EngineLost(Exception):
    """TaskFlow offers nothing, nothing is under way, and the list has not ended."""


class _Promise(Future[Any]):
    """What TaskFlow waits for. It takes back what it waits for when its generator is closed, or thrown away.

    A future that is only cancelled is not done for those who wait: TaskFlow would look again for ever.
    """

    def cancel(self) -> bool:
        """Take it back. Idempotent."""
        is_new = not self.cancelled() and super().cancel()
        if is_new:
            self.set_running_or_notify_cancel()
        return self.cancelled()


class _Offer:
    """An atom that TaskFlow has handed over, until it is told what came of it."""

    def __init__(self, atom: StepAtom, call: Callable[[], Any]) -> None:
        self.atom = atom
        self.place = int(atom.name.split(" ", 1)[0])
        self.future = _Promise()
        self._call = call

    def settle(self, outcome: Callable[[], Any]) -> None:
        """Tell TaskFlow what came of it."""
        self.atom.outcome = outcome
        self.future.set_result(self._call())


class _Offers(Executor):
    """Stands where TaskFlow expects a pool of threads."""

    def __init__(self) -> None:
        self.open: list[_Offer] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep what a thread was to do."""
        offer = _Offer(args[0], partial(fn, *args, **kwargs))
        self.open.append(offer)
        return offer.future


class FlowEngine:
    """One list in TaskFlow's hands. One thread at a time."""

    def __init__(self, key: str, run: Run) -> None:
        self._key = key
        self._offers = _Offers()
        self._pages, detail = opened(key, run)
        self._engine = load_from_detail(detail, backend=self._pages, engine="parallel", executor=self._offers)
        self._states: Generator[str, bool] | None = self._engine.run_iter(timeout=0)
        self._end = finalize(self, _end, self._offers, self._states)
        self._end.atexit = False

    def moves(self, run: Run) -> Answer:
        """Tell TaskFlow how the list stands, and return what it wants done."""
        self._drive()
        while self._settle(run):
            self._drive()
        return Answer(self._chosen(run), self._pages.told())

    def close(self) -> None:
        """Forget the list. Idempotent; done by itself for an engine that nobody has any more."""
        self._states = None
        self._end()

    def _drive(self) -> None:
        """Let TaskFlow go on until it would wait for an offer, or has ended."""
        while self._states is not None:
            try:
                state = next(self._states, None)
            except Exception:
                if self._engine.storage.get_flow_state() != REVERTED:
                    raise
                state = None  # it raises what its atoms did, once all is taken back
            if state is None:
                self._states = None
            elif state == WAITING and self._offers.open:
                return

    def _settle(self, run: Run) -> bool:
        """Tell TaskFlow of the offers that are over; return whether there was any."""
        over = [(offer, outcome) for offer in self._offers.open if (outcome := self._outcome(run, offer)) is not None]
        self._offers.open = [offer for offer in self._offers.open if offer not in {one for one, _ in over}]
        for offer, outcome in over:
            offer.settle(outcome)
        return bool(over)

    def _outcome(self, run: Run, offer: _Offer) -> Callable[[], Any] | None:
        """Return what came of an offer; None: nothing yet."""
        if self._is_revert(offer):
            return _nothing if self._is_back(run, offer.place) else None
        if offer.place == len(run.steps):
            return None if run.failure is None else partial(_undone, offer)
        one = run.steps[offer.place]
        if one.state is StepState.SUCCESS:
            result = dict(one.result or {})
            return lambda: result
        if one.state in NOT_OVER and (run.failure is None or one.state in UNDER_WAY):
            return None
        return partial(_undone, offer)

    def _is_back(self, run: Run, place: int) -> bool:
        """Return whether there is nothing left of a step that could be taken back."""
        return place == len(run.steps) or not (run.is_to_revert(place) or run.steps[place].state in UNDER_WAY)

    def _is_revert(self, offer: _Offer) -> bool:
        return bool(self._engine.storage.get_atom_state(offer.atom.name) == REVERTING)

    def _chosen(self, run: Run) -> tuple[Move, ...]:
        if run.failure is not None:
            return () if run.is_busy else (self._back(run),)
        if run.is_held:
            return ()
        if run.is_to_hold:
            return () if run.is_busy else (Stop(),)
        places = sorted(offer.place for offer in self._offers.open)
        if places == [len(run.steps)]:
            return (Finish(),)
        if not places:
            raise EngineLost(f"{self._key}: TaskFlow has {self._engine.storage.get_flow_state()}")
        return tuple(Begin(place) for place in places if _is_ready(run, place))

    def _back(self, run: Run) -> Move:
        """Return what is taken back next: of all that TaskFlow would revert at once, what began last."""
        if self._states is None:
            return Finish()
        offered = [offer.place for offer in self._offers.open if run.is_to_revert(offer.place)]
        if not offered:
            raise EngineLost(f"{self._key}: TaskFlow reverts nothing, and has not ended")
        return Revert(run.latest(offered))


def _end(offers: _Offers, states: Generator[str, bool]) -> None:
    """Let TaskFlow end what it runs, while its engine is still there: nothing of it is done any more."""
    for offer in offers.open:
        offer.future.cancel()
    offers.open.clear()
    with suppress(Exception):  # it ends with the failures of its atoms, which are told already
        states.close()


def _is_ready(run: Run, place: int) -> bool:
    return run.steps[place].state is StepState.PENDING and run.steps[place].retry_at is None


def _undone(offer: _Offer) -> None:
    raise StepUndone(offer.atom.name)


def _nothing() -> None:
    return None
