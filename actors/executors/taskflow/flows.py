"""A list of steps as a flow of TaskFlow's: one atom a step, and one that ends the list. No engine.

`flow_of` is found again by its name after a restart, as TaskFlow's factories are, and makes the same flow from the same
list.
"""

from collections.abc import Callable, Iterable, Sequence
from graphlib import TopologicalSorter
from typing import Any, Final

from castiron.actors.core.provision.run import Run
from castiron.actors.executors.taskflow.library import Flow, GraphFlow, LinearFlow, Task
from castiron.transport.vocabulary import EngineMode

FACTORY: Final = "castiron.actors.executors.taskflow.flows.flow_of"

Wished = Sequence[tuple[str, Sequence[str] | None]]
"""Name of each step, and which steps it is after; None: all before it."""


class StepUndone(Exception):
    """What TaskFlow is told of a step that failed, or was not begun. Says nothing that may be secret."""


class StepAtom(Task):
    """A step as TaskFlow sees it. It does nothing: what came of the step is told when it has ended."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.outcome: Callable[[], Any] = _nothing
        """What came of it: returns, or raises."""

    def execute(self) -> Any:
        """Return what came of the step."""
        return self.outcome()

    def revert(self, **_: Any) -> None:
        """It has been taken back already, as far as it could be."""


def atom_names(run: Run) -> list[str]:
    """Return the names of a list's atoms, in its order; the last is the list's end. Each is another, and stays."""
    names = [f"{place} {one.step.name}" for place, one in enumerate(run.steps)]
    return [*names, f"{len(names)} the end"]


def factory_arguments(key: str, run: Run) -> dict[str, Any]:
    """Return what `flow_of` takes to make the flow of a list, as plain data."""
    steps = [[one.step.name, None if one.step.after is None else list(one.step.after)] for one in run.steps]
    return {"key": key, "mode": run.mode.value, "atoms": atom_names(run), "steps": steps}


def flow_of(key: str, mode: str, atoms: Sequence[str], steps: Wished) -> Flow:
    """Return the flow of a list.

    Raises:
        graphlib.CycleError: steps wait for each other.
    """
    made = [StepAtom(name) for name in atoms]
    if mode == EngineMode.SERIAL:
        return LinearFlow(key).add(*made)
    flow = GraphFlow(key)
    flow.add(*made)
    for place, before in enumerate(nearest([after_of(place, steps) for place in range(len(steps))])):
        for earlier in sorted(before):
            flow.link(made[earlier], made[place])
    return flow


def after_of(place: int, steps: Wished) -> set[int]:
    """Return the places of the steps that must have succeeded before one begins."""
    after = steps[place][1]
    return set(range(place)) if after is None else {other for other, one in enumerate(steps) if one[0] in after}


def nearest(before: list[set[int]]) -> list[set[int]]:
    """Return the same order with as few links as it takes, and the end after all.

    Each link costs TaskFlow a copy of its graph.
    """
    order = list(TopologicalSorter(dict(enumerate(before))).static_order())
    all_before: dict[int, set[int]] = {}
    for place in order:
        all_before[place] = before[place].union(*(all_before[one] for one in before[place]))
    every = set(range(len(before)))
    return [_last(one, all_before) for one in (*before, every)]


def _last(places: Iterable[int], all_before: dict[int, set[int]]) -> set[int]:
    chosen = set(places)
    return chosen.difference(*(all_before[one] for one in chosen)) if chosen else chosen


def _nothing() -> None:
    return None
