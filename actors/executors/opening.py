"""Which executor a conductor has, as its settings say. TaskFlow is imported here, and only if it is wanted."""

from castiron.actors.executors.engines import Engines, Start, on_a_thread
from castiron.actors.parts import Parts
from castiron.actors.settings import Settings
from castiron.transport.vocabulary import TaskExecutor


def open_engines(settings: Settings, parts: Parts | None = None, *, start: Start = on_a_thread) -> Engines:
    """Return the engines of the executor that the settings name; where that is the built-in one, nobody asks them.

    Args:
        parts: where their end is noted.
        start: has their turns taken.
    """
    if settings.task_executor == TaskExecutor.BUILTIN:
        return Engines()
    from castiron.actors.executors.taskflow.engine import FlowEngine  # noqa: PLC0415 - 250 ms, for who wants it

    engines = Engines(FlowEngine, settings.engine_threads, start=start)
    if parts is not None:
        parts.add_quick(engines.stop)
    return engines
