"""Which executor a conductor has, as its settings say. TaskFlow is imported here, and only if it is wanted."""

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.executors.engines import Engines
from castiron.actors.parts import Parts
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import ENGINE_TURNS
from castiron.transport.vocabulary import TaskExecutor


def open_engines(settings: Settings, shares: Shares, parts: Parts | None = None) -> Engines:
    """Return the engines of the executor that the settings name; where that is the built-in one, nobody asks them.

    Args:
        parts: where their end is noted.
        shares: where their turns are taken.
    """
    if settings.task_executor == TaskExecutor.BUILTIN:
        return Engines()
    from castiron.actors.executors.taskflow.engine import FlowEngine  # noqa: PLC0415 - 250 ms, for who wants it

    engines = Engines(FlowEngine, shares[ENGINE_TURNS])
    if parts is not None:
        parts.add_quick("engines", engines.stop)
    return engines
