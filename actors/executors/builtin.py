"""The built-in executor: the rules are `Run.moves`, which the node's actor applies in place and in no time.

Here for what has an executor at hand and no actor: where none is chosen, this one answers, and tests compare others
with it.
"""

from castiron.actors.core.provision.run import Run
from castiron.actors.executors.executor import Answer


class BuiltInEngine:
    """Answers from the list itself. Any thread."""

    def __init__(self, key: str, run: Run) -> None:
        del key, run

    def moves(self, run: Run) -> Answer:
        """Return what is to be done now."""
        return Answer(run.moves())

    def close(self) -> None:
        """There is nothing to forget."""
