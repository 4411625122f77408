"""A user's own flow, run as one step by the worker that carries the step out.

TaskFlow's engine keeps where it stands in memory: after a restart the step is taken up as any other, by its `verify`,
or again if it is idempotent.
"""

from collections.abc import Generator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from castiron.actors.executors.taskflow.library import SUCCESS, Engine, Flow, WrappedFailure, load
from castiron.actors.steps.declaring import StepContext
from castiron.transport.errors import StepFailed
from castiron.transport.vocabulary import Applied

LOOK_S: Final = 0.25
"""Between two looks at whether anybody still wants it, while a task runs."""

MAX_REPORTS: Final = 256
"""Changes of tasks that are told of one flow; each is an event that is kept."""

MAX_SAID: Final = 500
"""Characters of what a flow says of its failure."""

EVERY: Final = "*"
"""TaskFlow's word for all changes."""


def run_flow(flow: object, context: StepContext, *, engine: str, max_workers: int) -> Mapping[str, Any]:
    """Run a flow to its end, on this thread and, in the parallel engine, on some of its own; return what it provides.

    Raises:
        StepFailed: it is no flow, a task failed, or nobody wants it any more.
    """
    if not isinstance(flow, Flow):
        raise StepFailed(f"It returned {type(flow).__name__}; this step returns a flow of TaskFlow's.")
    with _threads(max_workers if engine == "parallel" else 0) as executor:
        options: dict[str, Any] = {} if executor is None else {"executor": executor}
        made = load(flow, engine=engine, **options)
        made.atom_notifier.register(EVERY, _Reporter(context))
        return _run(made, context)


def _run(engine: Engine, context: StepContext) -> Mapping[str, Any]:
    states = engine.run_iter(timeout=LOOK_S)
    try:
        state = next(states, None)
        while state is not None:
            try:
                state = states.send(context.cancelled.is_set())
            except StopIteration:
                state = None
    except WrappedFailure as error:
        said = "; ".join(f"{one.exception_str}" for one in error)
        raise StepFailed(f"Tasks of the flow failed: {said[:MAX_SAID]}", applied=Applied.UNKNOWN) from None
    if engine.storage.get_flow_state() != SUCCESS:
        raise StepFailed("It was stopped between two tasks; what they had done stays.", applied=Applied.UNKNOWN)
    return engine.storage.fetch_all()


class _Reporter:
    """Tells of the changes of a flow's tasks, so many of them."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._left = MAX_REPORTS

    def __call__(self, state: str, details: Mapping[str, Any]) -> None:
        """Tell of one. TaskFlow calls it on the thread that runs the engine."""
        self._left -= 1
        if self._left >= 0:
            self._context.report({"task": details.get("task_name") or details.get("retry_name"), "state": state})


@contextmanager
def _threads(count: int) -> Generator[Executor | None]:
    """Lend a pool. TaskFlow's own takes a second to end: its idle threads look up once a second."""
    if not count:
        yield None
        return
    with ThreadPoolExecutor(count, thread_name_prefix="castiron-flow") as pool:
        yield pool
